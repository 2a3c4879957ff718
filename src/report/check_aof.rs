//! The JSON of `aofkit check-aof`. Its text is that of redis-check-aof.

use serde::Serialize;

use super::envelope::Report;
use crate::ops::check_aof::Event;

/// The messages of redis-check-aof.
#[derive(Debug, Serialize)]
pub struct CheckAofReport {
    /// The messages, in order.
    pub events: Vec<Event>,
}

impl Report for CheckAofReport {
    const NAME: &'static str = "check-aof";
}
