//! The grammar of redis-check-aof, which differs from the loader's and from that of `verify`.

use std::ops::Range;
use std::path::Path;

use super::ahead::{ANNOTATION_BYTES, Ahead, later};
use super::messages::text;
use crate::aof::manifest::strtol;
use crate::aof::{read_args, scan_parallel};
use crate::base::progress::Progress;
use crate::ops::check_aof::messages::Damage;
use crate::ops::check_aof::messages::HEADER_BYTES;

/// The reason why the scan of a file stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The end of the file, or a torn header or argument count, which is not reported.
    End,
    Format,
    Damage {
        offset: u64,
        damage: Damage,
    },
    BadAnnotation,
    Later {
        offset: u64,
        timestamp: i64,
    },
}

/// The scan of one file.
pub(super) struct Scan<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// The byte offset up to which progress has been reported.
    pub(super) reported: usize,
    /// The byte offset at which the last unit outside MULTI begins, or the end.
    pub(super) begin: usize,
    pub(super) open_transaction: bool,
    pub(super) line: &'a mut u64,
    pub(super) header: &'a mut [u8; HEADER_BYTES + 2],
    pub(super) progress: &'a dyn Progress,
    /// Called with each range before it is read ahead.
    pub(super) touch: &'a (dyn Fn(Range<usize>) + Sync),
}

/// A command that could not be read: the position and the damage, or `None` at the end of the file.
type Torn = Option<(usize, Damage)>;

impl<'a> Scan<'a> {
    pub(super) fn run(&mut self, timestamp: Option<i64>) -> Scanned {
        let new = || Ahead::new(timestamp);
        let ahead = scan_parallel(self.bytes, self.at, new, self.touch, self.progress).sink;
        // All of the file counts as processed.
        self.reported = self.bytes.len();
        let last_read = self.go_on_after(&ahead);
        self.run_from(last_read, timestamp)
    }

    /// Takes over the state after what was read ahead, and returns the offset of the last line or argument of it.
    pub(super) fn go_on_after(&mut self, ahead: &Ahead) -> usize {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let Some((last, end)) = ahead.last else { return 0 };
        self.at = index(end);
        *self.line += ahead.commands + 2 * ahead.arguments;
        self.open_transaction = ahead.is_open;
        self.begin = if ahead.is_open { index(ahead.multi) } else { self.at };
        let header = ahead.header();
        self.header[..header.len()].copy_from_slice(header);
        let mut args = Vec::new();
        let last_argument = read_args(self.bytes, index(last), &mut args).and(args.last());
        last_argument.map_or(index(last), |argument| self.at - 2 - argument.len())
    }

    /// Reads line after line from where the scan is; `last_read` is the offset of the last line or argument before.
    pub(super) fn run_from(&mut self, last_read: usize, timestamp: Option<i64>) -> Scanned {
        const TELL_BYTES: usize = 1 << 20;
        let mut last_read = last_read;
        loop {
            if !self.open_transaction {
                self.begin = self.at;
            }
            let read = self.at.saturating_sub(self.reported);
            if read >= TELL_BYTES {
                self.progress.advance(read as u64);
                self.reported = self.at;
            }
            match self.bytes.get(self.at) {
                None => break,
                Some(b'#') => {
                    last_read = self.at;
                    let line = self.take_line(ANNOTATION_BYTES);
                    let Some(timestamp) = timestamp else { continue };
                    match later(line, timestamp) {
                        Some(false) => {}
                        None => return Scanned::BadAnnotation,
                        Some(true) => {
                            return Scanned::Later { offset: last_read as u64, timestamp };
                        }
                    }
                }
                Some(b'*') => match self.command(&mut last_read) {
                    Ok(()) => {}
                    Err(None) => break,
                    Err(Some((offset, damage))) => {
                        return Scanned::Damage { offset: offset as u64, damage };
                    }
                },
                Some(_) => return Scanned::Format,
            }
        }
        self.progress.advance(self.at.saturating_sub(self.reported) as u64);
        if self.open_transaction {
            return Scanned::Damage { offset: last_read as u64, damage: Damage::Open };
        }
        Scanned::End
    }

    /// Reads one command. `last_read` is set to the offset of the last line or argument that was read.
    fn command(&mut self, last_read: &mut usize) -> Result<(), Torn> {
        let arguments = self.number('*', last_read)?;
        for index in 0..arguments {
            let length = self.number('$', last_read)?;
            let wanted = u64::try_from(length).ok().filter(|&length| length <= MAX_LENGTH);
            let Some(wanted) = wanted.map(|length| length + 2) else {
                return Err(Some((*last_read, Damage::Length { length })));
            };
            *last_read = self.at;
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let argument = usize::try_from(wanted).ok().and_then(|wanted| rest.get(..wanted));
            let Some((argument, &end)) = argument.and_then(<[u8]>::split_last_chunk) else {
                self.at = self.bytes.len();
                let got = rest.len() as u64;
                return Err(Some((*last_read, Damage::Short { expected: wanted, got })));
            };
            self.at += argument.len() + end.len();
            self.newline(end, *last_read)?;
            if index == 0 {
                self.transaction(argument).map_err(|damage| Some((*last_read, damage)))?;
            }
        }
        Ok(())
    }

    /// Tracks MULTI and EXEC. A name ends at its first zero byte.
    fn transaction(&mut self, name: &[u8]) -> Result<(), Damage> {
        let head = name.get(..6).unwrap_or(name);
        let name = head.split(|&byte| byte == 0).next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"multi") {
            if self.open_transaction {
                return Err(Damage::Multi { path: text(self.path) });
            }
            self.open_transaction = true;
        } else if name.eq_ignore_ascii_case(b"exec") {
            if !self.open_transaction {
                return Err(Damage::Exec { path: text(self.path) });
            }
            self.open_transaction = false;
        }
        Ok(())
    }

    /// Reads a header line: a prefix, a number, CR LF.
    fn number(&mut self, prefix: char, last_read: &mut usize) -> Result<i64, Torn> {
        *last_read = self.at;
        let line = self.take_line(HEADER_BYTES);
        let Some(&first) = line.first() else { return Err(None) };
        let mut fresh = [0; HEADER_BYTES + 2];
        let buffer = if prefix == '*' { &mut *self.header } else { &mut fresh };
        for (to, from) in buffer.iter_mut().zip(line.iter().chain([&0])) {
            *to = *from;
        }
        if char::from(first) != prefix {
            return Err(Some((*last_read, Damage::Prefix { expected: prefix, got: first })));
        }
        let number = strtol(line.get(1..).unwrap_or_default());
        let end = 1 + number.used;
        let end = [end, end + 1].map(|at| buffer.get(at).copied().unwrap_or_default());
        self.newline(end, *last_read)?;
        Ok(number.value)
    }

    fn newline(&mut self, got: [u8; 2], last_read: usize) -> Result<(), Torn> {
        if got != *b"\r\n" {
            return Err(Some((last_read, Damage::Newline { got })));
        }
        *self.line += 1;
        Ok(())
    }

    /// Reads a line as `fgets` does with a buffer of this size: truncated if it is too long, without a newline at the
    /// end of the file, empty after that.
    fn take_line(&mut self, buffer_bytes: usize) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let rest = rest.get(..buffer_bytes - 1).unwrap_or(rest);
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }
}

/// The maximum length of an argument in bytes.
const MAX_LENGTH: u64 = i64::MAX.unsigned_abs() - 2;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::aof::parallel::scan_chunks;
    use crate::aof::testing::{damaged, frame};
    use crate::base::progress::Silent;

    /// Everything that a message can show.
    type Seen = (Scanned, usize, usize, bool, u64, Vec<u8>);

    /// Scans a file from `start`: as it is defined, or after reading ahead in chunks of some bytes.
    fn scan(bytes: &[u8], ahead_in: Option<usize>, until: Option<i64>) -> Seen {
        let (mut line, mut header) = (7, [b'h'; HEADER_BYTES + 2]);
        let mut scan = Scan {
            path: Path::new("a.aof"),
            bytes,
            at: 0,
            reported: 0,
            begin: 0,
            open_transaction: false,
            line: &mut line,
            header: &mut header,
            progress: &Silent,
            touch: &|_| {},
        };
        let last_read = ahead_in.map_or(0, |chunk_bytes| {
            let new = || Ahead::new(until);
            scan.go_on_after(&scan_chunks(bytes, 0, chunk_bytes, new, |_| {}, &Silent).sink)
        });
        let scanned = scan.run_from(last_read, until);
        let (at, begin, open) = (scan.at, scan.begin, scan.open_transaction);
        (scanned, at, begin, open, line, header.to_vec())
    }

    fn all_agree(bytes: &[u8]) {
        for until in [None, Some(1_700_000_000)] {
            let defined = scan(bytes, None, until);
            for chunk_bytes in [7, 64, 1000] {
                let ahead = scan(bytes, Some(chunk_bytes), until);
                assert_eq!(ahead, defined, "chunks of {chunk_bytes}");
            }
        }
    }

    fn log() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![
            4 => Just(&b"SET"[..]),
            2 => Just(&b"MULTI"[..]),
            2 => Just(&b"exec"[..]),
            1 => Just(&b"Multi\0x"[..]),
            1 => Just(&b"EXEC\0"[..]),
            1 => Just(&b"EXECX"[..]),
            1 => Just(&b"MULTIX"[..]),
        ];
        let argument = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            Just(b"*1\r\n$4\r\nEXEC\r\n".repeat(3)),
        ];
        let command =
            (name, proptest::collection::vec(argument, 0..12)).prop_map(|(name, args)| {
                let args: Vec<Vec<u8>> = std::iter::once(name.to_vec()).chain(args).collect();
                frame(&args)
            });
        let item = prop_oneof![
            20 => command,
            4 => Just([frame(&[b"MULTI".to_vec()]), frame(&[b"EXEC".to_vec()])].concat()),
            1 => Just(frame(&vec![b"x".to_vec(); 113])),
            1 => Just(b"#TS:1700000000\r\n".to_vec()),
            1 => Just(b"#TS:1700000001\r\n".to_vec()),
            1 => Just([&b"#"[..], &[b'a'; 1021], b"\n"].concat()),
            1 => Just([&b"#"[..], &[b'a'; 1022], b"\n"].concat()),
            1 => Just(b"*1\r\n$04\r\nPING\r\n".to_vec()),
            1 => Just(b"*-5\r\n*0\r\n".to_vec()),
        ];
        proptest::collection::vec(item, 0..30).prop_map(|items| items.concat())
    }

    proptest! {
        #[test]
        fn reading_ahead_changes_nothing(bytes in log()) {
            all_agree(&bytes);
        }

        #[test]
        fn reading_ahead_changes_nothing_in_damaged_files(bytes in damaged(log())) {
            all_agree(&bytes);
        }

        #[test]
        fn reading_ahead_changes_nothing_in_torn_files(bytes in log(), end in 0_usize..2000) {
            all_agree(&bytes[..end.min(bytes.len())]);
        }
    }
}
