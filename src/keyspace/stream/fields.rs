//! The fields of an entry.
//!
//! They are kept as one run of bytes, in the form in which a log has them: each field, then its value, as
//! `$<length>\r\n<bytes>\r\n`. An entry that was added by a command of the log is that command's tail, so
//! that it takes 16 bytes however many fields it has, and is written again by copying them.

use std::fmt;

use bumpalo::Bump;

/// The fields of an entry and their values. Only what has the exact form above becomes one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The arguments of a command, fields and values by turns. They are borrowed from the command's frame
    /// where they end it and are written there as a server writes them, else copied into the arena.
    #[inline]
    pub fn of_args(args: &[&'a [u8]], frame: &'a [u8], arena: &'a Bump) -> Self {
        within(args, frame).unwrap_or_else(|| Fields(copied(args, arena)))
    }

    /// The fields and values as they stand in a log: bulk strings, each with its length before it.
    pub fn as_log_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Fields and their values, in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || Some((bulk(&mut rest)?, bulk(&mut rest)?)))
    }

    /// How many fields there are. They are counted.
    pub fn count(self) -> usize {
        self.iter().count()
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_map().entries(self.iter().map(|(name, value)| (shown(name), shown(value)))).finish()
    }
}

/// Takes a bulk string from the front.
#[inline]
fn bulk<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&b'$', mut behind) = rest.split_first()? else { return None };
    let mut len: usize = 0;
    while let Some((digit @ b'0'..=b'9', tail)) = behind.split_first() {
        len = len.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
        behind = tail;
    }
    let (bytes, tail) = behind.get(2..)?.split_at_checked(len)?;
    *rest = tail.get(2..)?;
    Some(bytes)
}

/// The bytes of these arguments in the frame that they were cut out of, lengths included, if they are
/// written as a server writes them.
fn within<'a>(args: &[&'a [u8]], frame: &'a [u8]) -> Option<Fields<'a>> {
    let place = |bytes: &[u8]| bytes.as_ptr().addr().checked_sub(frame.as_ptr().addr());
    let mut digits = itoa::Buffer::new();
    let first = args.first()?;
    let start = place(first)?.checked_sub(digits.format(first.len()).len() + 3)?;
    let mut at = start;
    for arg in args {
        let len = digits.format(arg.len()).as_bytes();
        let head = frame.get(at..at + len.len() + 3)?;
        let (mark, text) = head.split_first()?;
        if *mark != b'$' || !text.starts_with(len) || !text.ends_with(b"\r\n") {
            return None;
        }
        at += head.len();
        if place(arg) != Some(at) {
            return None;
        }
        at += arg.len() + 2;
        if frame.get(at - 2..at)? != b"\r\n" {
            return None;
        }
    }
    Some(Fields(&frame[start..at]))
}

fn copied<'a>(args: &[&[u8]], arena: &'a Bump) -> &'a [u8] {
    let mut buffer = FieldsBuffer::default();
    args.iter().for_each(|arg| buffer.bulk(arg));
    buffer.in_arena(arena).0
}

/// Gathers the fields of an entry that does not stand in a log. It can be used for one after the other.
#[derive(Debug, Clone, Default)]
pub struct FieldsBuffer(Vec<u8>);

impl FieldsBuffer {
    /// Forgets all fields.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a field and its value.
    pub fn push(&mut self, field: &[u8], value: &[u8]) {
        self.bulk(field);
        self.bulk(value);
    }

    /// What was gathered, in the arena.
    pub fn in_arena<'a>(&self, arena: &'a Bump) -> Fields<'a> {
        Fields(arena.alloc_slice_copy(&self.0))
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.0.push(b'$');
        self.0.extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
        self.0.extend_from_slice(b"\r\n");
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments that stand at these places of a frame.
    fn cut<'a>(frame: &'a [u8], args: &[&str]) -> Vec<&'a [u8]> {
        let mut from = 0;
        let mut cut = Vec::new();
        for arg in args {
            let found = frame[from..].windows(arg.len()).position(|part| part == arg.as_bytes());
            let at = from + found.expect("it is there");
            cut.push(&frame[at..at + arg.len()]);
            from = at + arg.len();
        }
        cut
    }

    #[test]
    fn the_end_of_a_frame_is_borrowed() {
        let arena = Bump::new();
        let frame = b"*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$3\r\n1-1\r\n$5\r\nfield\r\n$12\r\nvalue\r\n$9\r\nx\r\n";
        let args = cut(frame, &["field", "value\r\n$9\r\nx"]);
        let fields = Fields::of_args(&args, frame, &arena);
        assert_eq!(fields.as_log_bytes(), b"$5\r\nfield\r\n$12\r\nvalue\r\n$9\r\nx\r\n");
        assert_eq!(fields.as_log_bytes().as_ptr_range().end, frame.as_ptr_range().end);
        assert_eq!(fields.iter().collect::<Vec<_>>(), [(args[0], args[1])]);
    }

    /// Loaders take more forms than servers write.
    #[test]
    fn what_is_written_otherwise_is_copied() {
        let arena = Bump::new();
        let plain = b"$5\r\nfield\r\n$5\r\nvalue\r\n";
        for frame in [
            &b"$05\r\nfield\r\n$5\r\nvalue\r\n"[..],
            b"$5\r\nfield\r\n$+5\r\nvalue\r\n",
            b"$5\nfield\r\n$5\r\nvalue\r\n",
            b"$05\nfield\r\n$5\r\nvalue\r\n",
            b"$5\r\nfieldxx$5\r\nvalue\r\n",
            b"$5\r\nfield\r\n$5\r\nvalue\n\n",
            b"$5\r\nfield\r\n$5\r\nvalue",
            b"fieldvalue",
        ] {
            let args = cut(frame, &["field", "value"]);
            let fields = Fields::of_args(&args, frame, &arena);
            assert_eq!(fields.as_log_bytes(), plain, "{}", frame.escape_ascii());
            assert_ne!(fields.as_log_bytes().as_ptr(), frame.as_ptr());
        }
        let elsewhere: [&[u8]; 2] = [b"field", b"value"];
        assert_eq!(Fields::of_args(&elsewhere, &[], &arena).as_log_bytes(), plain);
        assert_eq!(Fields::of_args(&elsewhere, plain, &arena).as_log_bytes(), plain);
    }

    #[test]
    fn fields_may_be_empty_and_binary() {
        let arena = Bump::new();
        let mut buffer = FieldsBuffer::default();
        buffer.push(b"forgotten", b"x");
        buffer.clear();
        buffer.push(b"", b"$1\r\n");
        buffer.push(b"\0\xff", b"");
        let fields = buffer.in_arena(&arena);
        let pairs: Vec<(&[u8], &[u8])> = fields.iter().collect();
        assert_eq!(pairs, [(&b""[..], &b"$1\r\n"[..]), (b"\0\xff", b"")]);
        assert_eq!((fields.count(), Fields::default().count()), (2, 0));
    }
}
