//! Lists.

use std::collections::VecDeque;

/// A list, head first.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// Its elements.
    pub elements: VecDeque<&'a [u8]>,
}
