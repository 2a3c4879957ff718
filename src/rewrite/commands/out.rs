//! Commands in the form of a log.

/// Bytes that grow by commands.
#[derive(Debug, Clone, Default)]
pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
}

impl Out {
    /// The head of a command that has so many arguments behind its name.
    #[inline]
    pub(super) fn command(&mut self, name: &[u8], args: usize) {
        self.head(b'*', args + 1);
        self.bulk(name);
    }

    /// An argument.
    #[inline]
    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A number as an argument.
    #[inline]
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Arguments that are in the form of a log already.
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
