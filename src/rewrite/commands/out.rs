//! Commands in the format of a log.

use crate::base::sparse::{LONG, append};

/// A buffer to which commands are appended.
#[derive(Debug, Clone, Default)]
pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
}

impl Out {
    /// Writes the head of a command with `args` arguments after its name.
    #[inline]
    pub(super) fn command(&mut self, name: &[u8], args: usize) {
        self.head(b'*', args + 1);
        self.bulk(name);
    }

    /// Writes an argument.
    #[inline]
    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len());
        if bytes.len() >= LONG {
            append(&mut self.bytes, bytes);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Writes a number as an argument.
    #[inline]
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Writes arguments that are already in the format of a log.
    #[inline]
    pub(super) fn args(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn head(&mut self, mark: u8, number: usize) {
        self.bytes.push(mark);
        match u8::try_from(number) {
            Ok(digit @ 0..10) => self.bytes.push(b'0' + digit),
            _ => self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        }
        self.bytes.extend_from_slice(b"\r\n");
    }
}
