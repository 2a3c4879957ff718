//! The fields of an entry.
//!
//! They are stored as one sequence of bytes in the format of the log: each field, then its value,
//! as `$<length>\r\n<bytes>\r\n`. The fields of an entry that was added by a command of the log are
//! the tail of that command. They take 16 bytes whatever their number, and are written by copying
//! them.

use std::fmt;

use bumpalo::Bump;

/// The fields of an entry and their values, in exactly the format above.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Creates fields from the arguments of a command, alternating fields and values. They are
    /// borrowed from the command's frame if they are at its end in the format that servers write,
    /// else copied into the arena.
    #[inline]
    pub fn of_args(args: &[&'a [u8]], frame: &'a [u8], arena: &'a Bump) -> Self {
        within(args, frame).unwrap_or_else(|| Fields(copied(args, arena)))
    }

    /// Returns the fields and values in the format of the log: bulk strings, each preceded by its
    /// length.
    pub fn as_log_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the fields and their values, in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || Some((bulk(&mut rest)?, bulk(&mut rest)?)))
    }

    /// Returns the number of fields. It is computed by counting.
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

/// Removes a bulk string from the front.
#[inline]
fn bulk<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&b'$', mut after) = rest.split_first()? else { return None };
    let mut len: usize = 0;
    while let Some((digit @ b'0'..=b'9', tail)) = after.split_first() {
        len = len.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
        after = tail;
    }
    let (bytes, tail) = after.get(2..)?.split_at_checked(len)?;
    *rest = tail.get(2..)?;
    Some(bytes)
}

/// Returns the bytes of these arguments in the frame that contains them, including lengths, if they
/// have the format that servers write.
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

/// Collects the fields of an entry that is not in a log. It can be reused.
#[derive(Debug, Clone, Default)]
pub struct FieldsBuffer(Vec<u8>);

impl FieldsBuffer {
    /// Removes all fields.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a field and its value.
    pub fn push(&mut self, field: &[u8], value: &[u8]) {
        self.bulk(field);
        self.bulk(value);
    }

    /// Copies the collected fields into the arena.
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

    /// Returns the slices of `frame` that contain these arguments.
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

    /// Loaders accept more formats than servers write.
    #[test]
    fn fields_in_another_format_are_copied() {
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
