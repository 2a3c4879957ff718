//! The frames of a log that arrives in pieces, in memory that does not depend on its length.
//!
//! [`Feed`] stores an incomplete frame until the next piece arrives, and reads the rest with [`scan()`]: the sink receives the same calls as if the log were one slice. A frame longer than [`FRAME_BYTES`] is not stored. It is read argument by argument with the same grammar, and the sink receives it shortened: with its name and its true number of arguments, but only the first arguments, and only the beginning of each. Then [`Sink::ends_at`] reports its end.

use std::ops::Range;

use super::fault::{Claim, Fault};
use super::frame::Frame;
use super::grammar::{LINE_BYTES, Lenient, Shape};
use super::scan::{Sink, scan};

/// Maximum length of a frame that is stored completely, in bytes.
pub const FRAME_BYTES: usize = 1 << 20;

/// Number of arguments that are stored of a longer one.
const ARGUMENTS_KEPT: u32 = 32;

/// Number of bytes that are stored of each of its arguments.
const ARGUMENT_BYTES_KEPT: usize = 128;

/// A log that is read while it arrives.
pub struct Feed<S> {
    sink: S,
    /// The bytes that have arrived and have not been read yet.
    kept: Vec<u8>,
    /// Offset of these bytes in the log.
    at: u64,
    long: Option<Long>,
    fault: Option<Fault>,
    frame_bytes: usize,
}

/// The position at which the reading of a stream stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStop {
    /// The last boundary: everything before it was read completely.
    pub at: u64,
    /// The reason why it could not continue. Offsets are relative to the start of the log.
    pub fault: Option<Fault>,
}

/// A frame too long to be stored, as far as it has arrived.
struct Long {
    /// Offset of the frame.
    start: u64,
    argc: u32,
    /// The index of the current argument: 0 is the name.
    index: u32,
    /// The current argument, once its header was read.
    argument: Option<Argument>,
    /// The stored part, as a frame, and the position of the name in it.
    short: Vec<u8>,
    name: Range<usize>,
    canonical: bool,
    long_line: bool,
}

/// An argument of a long frame, as far as it has arrived.
struct Argument {
    header_at: u64,
    /// Offset of its bytes, their declared number, and the number of those that remain.
    start: u64,
    declared: u64,
    left: u64,
    /// The number of those that are stored.
    keep: usize,
    is_kept: bool,
    /// Remaining number of bytes of its line end.
    line_end: usize,
}

impl Long {
    /// Begins the frame at the start of `bytes`, which is at offset `start` of the log; also
    /// returns the length of its header.
    fn begin(bytes: &[u8], start: u64) -> Result<(Long, usize), Fault> {
        let mut header = Lenient::new(LINE_BYTES, bytes);
        let argc = header.count()?;
        let long = Long {
            start,
            argc,
            index: 0,
            argument: None,
            short: format!("*{argc}\r\n").into_bytes(),
            name: 0..0,
            canonical: header.canonical,
            long_line: header.long_line,
        };
        Ok((long, header.at))
    }

    /// Continues reading in `bytes`, which is at offset `at` of the log; `is_end` means that
    /// nothing follows. Returns the number of bytes read, and whether the frame is complete. If it
    /// is not, more bytes are required.
    fn read(&mut self, bytes: &[u8], at: u64, is_end: bool) -> Result<(usize, bool), Fault> {
        let mut read = 0;
        loop {
            let rest = &bytes[read..];
            if let Some(argument) = &mut self.argument {
                let taken = argument.take(rest, &mut self.short, &mut self.canonical);
                read += taken;
                if !argument.is_whole() {
                    return match is_end {
                        true => Err(argument.torn(self.index, at + read as u64)),
                        false => Ok((read, false)),
                    };
                }
                if self.index == 0 {
                    self.name.end = self.short.len();
                }
                if argument.is_kept {
                    self.short.extend(b"\r\n");
                }
                self.argument = None;
                self.index += 1;
            }
            if self.index == self.argc {
                return Ok((read, true));
            }
            let rest = &bytes[read..];
            let window = &rest[..rest.len().min(LINE_BYTES)];
            if !is_end && window.len() < LINE_BYTES && !window.contains(&b'\n') {
                return Ok((read, false));
            }
            let here = at + read as u64;
            let mut header = Lenient::new(LINE_BYTES, window);
            let declared =
                header.argument_header(self.index).map_err(|fault| offset_by(fault, here))?;
            self.canonical &= header.canonical;
            self.long_line |= header.long_line;
            read += header.at;
            let is_kept = self.index < ARGUMENTS_KEPT;
            let keep = ARGUMENT_BYTES_KEPT.min(usize::try_from(declared).unwrap_or(usize::MAX));
            if is_kept {
                self.short.extend(format!("${keep}\r\n").bytes());
            }
            if self.index == 0 {
                self.name = self.short.len()..self.short.len();
            }
            self.argument = Some(Argument {
                header_at: here,
                start: at + read as u64,
                declared,
                left: declared,
                keep: if is_kept { keep } else { 0 },
                is_kept,
                line_end: 2,
            });
        }
    }

    /// Returns the stored part of the frame.
    fn frame(&self) -> Frame<'_> {
        let shape = Shape {
            argc: self.argc,
            len: self.short.len(),
            name_start: self.name.start,
            name_len: self.name.len(),
            canonical: self.canonical,
            long_line: self.long_line,
        };
        Frame::new(self.start, &self.short, shape)
    }
}

impl Argument {
    /// Removes the bytes of the argument from the front of `bytes`, and returns their number.
    fn take(&mut self, bytes: &[u8], short: &mut Vec<u8>, canonical: &mut bool) -> usize {
        let own = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let keep = self.keep.min(own);
        short.extend(&bytes[..keep]);
        self.keep -= keep;
        self.left -= own as u64;
        let mut taken = own;
        while self.left == 0 && self.line_end > 0 && taken < bytes.len() {
            // Loaders do not check these bytes.
            *canonical &= bytes[taken] == b"\n\r"[self.line_end - 1];
            self.line_end -= 1;
            taken += 1;
        }
        taken
    }

    fn is_whole(&self) -> bool {
        self.left == 0 && self.line_end == 0
    }

    /// Returns the fault for a log that ends at `end`.
    fn torn(&self, index: u32, end: u64) -> Fault {
        let left = end - self.start;
        let claim = Claim { at: index_of(self.header_at), index, bytes: self.declared, left };
        Fault::Short { at: index_of(end), claim: Some(claim) }
    }
}

/// Faults contain offsets as `usize`.
fn index_of(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn offset_by(fault: Fault, by: u64) -> Fault {
    fault.offset_by(index_of(by))
}

/// A sink for a scan whose slice begins at offset `by` of the log.
struct Moved<'s, S> {
    sink: &'s mut S,
    by: u64,
}

impl<S: Sink> Sink for Moved<'_, S> {
    #[inline(always)]
    fn command(&mut self, frame: Frame<'_>) {
        self.sink.command(frame.offset_by(self.by));
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        self.sink.annotation(offset + self.by, line);
    }
}

impl<S: Sink> Feed<S> {
    /// Creates a feed for a log whose commands begin at byte `at` of its file.
    pub fn new(sink: S, at: u64) -> Self {
        Feed::keeping(FRAME_BYTES, sink, at)
    }

    /// Like [`Feed::new`], with complete frames of at most `frame_bytes`. Public for tests, whose
    /// frames are short.
    #[doc(hidden)]
    pub fn keeping(frame_bytes: usize, sink: S, at: u64) -> Self {
        Feed {
            sink,
            kept: Vec::new(),
            at,
            long: None,
            fault: None,
            frame_bytes: frame_bytes.max(LINE_BYTES),
        }
    }

    /// Reads the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.fault.is_none() {
            self.kept.extend_from_slice(piece);
            self.read(false);
        }
    }

    /// Ends the log, and returns the sink, the position at which reading stopped, and the reason.
    pub fn finish(mut self) -> (S, StreamStop) {
        if self.fault.is_none() {
            self.read(true);
        }
        let at = self.long.as_ref().map_or(self.at, |long| long.start);
        (self.sink, StreamStop { at, fault: self.fault })
    }

    fn read(&mut self, is_end: bool) {
        loop {
            if self.long.is_some() && !self.read_long(is_end) {
                return;
            }
            if !self.read_short(is_end) {
                return;
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.kept.drain(..bytes);
        self.at += bytes as u64;
    }

    /// Reads the stored frames; returns whether a long one has begun.
    fn read_short(&mut self, is_end: bool) -> bool {
        // A line that begins later than this may continue in the next piece.
        let until =
            if is_end { self.kept.len() } else { self.kept.len().saturating_sub(LINE_BYTES) };
        let mut sink = Moved { sink: &mut self.sink, by: self.at };
        let stop = scan(&self.kept, 0..until, &mut sink);
        let Some(fault) = stop.fault else {
            self.consume(stop.at);
            return false;
        };
        let is_certain = !fault.is_short() && fault.at() + LINE_BYTES < self.kept.len();
        if is_end || is_certain {
            self.fault = Some(offset_by(fault, self.at));
            self.consume(stop.at);
            return false;
        }
        self.consume(stop.at);
        if self.kept.len() <= self.frame_bytes {
            return false;
        }
        match Long::begin(&self.kept, self.at) {
            Ok((long, header)) => {
                self.long = Some(long);
                self.consume(header);
                true
            }
            Err(fault) => {
                self.fault = Some(offset_by(fault, self.at));
                false
            }
        }
    }

    /// Continues reading the long frame; returns whether it is complete and was reported.
    fn read_long(&mut self, is_end: bool) -> bool {
        let Some(long) = &mut self.long else { return true };
        match long.read(&self.kept, self.at, is_end) {
            Err(fault) => {
                self.fault = Some(fault);
                self.kept.clear();
                false
            }
            Ok((read, is_whole)) => {
                if is_whole {
                    self.sink.command(long.frame());
                    self.sink.ends_at(self.at + read as u64);
                    self.long = None;
                }
                self.consume(read);
                is_whole
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aof::testing::{damaged, frame};

    /// Offset, end, name, number of arguments, the arguments, and the properties of its form.
    type Reported = (u64, u64, Vec<u8>, u32, Vec<Vec<u8>>, bool, bool);

    /// Records the reported frames, without the arguments that a shortened frame omits.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct All {
        reported: Vec<Reported>,
    }

    impl Sink for All {
        fn command(&mut self, frame: Frame<'_>) {
            let args = frame.args().take(ARGUMENTS_KEPT as usize);
            let args = args.map(|arg| arg[..arg.len().min(ARGUMENT_BYTES_KEPT)].to_vec()).collect();
            let name = frame.name()[..frame.name().len().min(ARGUMENT_BYTES_KEPT)].to_vec();
            let (canonical, long_line) = (frame.is_canonical(), frame.has_long_line());
            self.reported.push((
                frame.offset(),
                frame.end(),
                name,
                frame.argc(),
                args,
                canonical,
                long_line,
            ));
        }

        fn annotation(&mut self, offset: u64, line: &[u8]) {
            let end = offset + line.len() as u64;
            self.reported.push((offset, end, line.to_vec(), 0, Vec::new(), false, false));
        }

        fn ends_at(&mut self, end: u64) {
            self.reported.last_mut().unwrap().1 = end;
        }
    }

    fn argument() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..12),
            1 => (100_usize..3000).prop_map(|len| vec![b'v'; len]),
            1 => Just(b"\r\n*1\r\n$4\r\nPING\r\n".to_vec()),
        ]
    }

    fn log() -> impl Strategy<Value = Vec<u8>> {
        let item = prop_oneof![
            8 => proptest::collection::vec(argument(), 1..6).prop_map(|args| frame(&args)),
            1 => Just(frame(&vec![b"x".to_vec(); 500])),
            1 => Just(b"#TS:1700000000\r\n".to_vec()),
            1 => Just([b"#", &b"a"[..].repeat(1500)[..], b"\n"].concat()),
            1 => Just([b"*2\n$+4\nPINGxx$", &b"0"[..].repeat(1018)[..], b"1200\r\n"].concat()),
            1 => Just([b"*1 ", &b" "[..].repeat(200)[..], b"\r\n$2000 \n", &b"y"[..].repeat(2002)[..]].concat()),
            1 => Just(b"*0".to_vec()),
            1 => Just(b"*-1\r\n".to_vec()),
            1 => Just(b"#".to_vec()),
        ];
        proptest::collection::vec(item, 0..12).prop_map(|items| items.concat())
    }

    fn reads_alike(bytes: &[u8], pieces: &[usize]) {
        let mut whole = All::default();
        let stop = scan(bytes, 0..bytes.len(), &mut whole);
        let mut feed = Feed::keeping(0, All::default(), 0);
        let mut rest = bytes;
        for &piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(piece.min(rest.len()));
            feed.push(now);
            rest = later;
        }
        let (reported, stopped) = feed.finish();
        assert_eq!((stopped.at, stopped.fault), (stop.at as u64, stop.fault));
        assert_eq!(reported, whole);
    }

    proptest! {
        #[test]
        fn a_stream_is_read_like_a_slice(
            bytes in log(),
            pieces in proptest::collection::vec(1_usize..1500, 1..8),
        ) {
            reads_alike(&bytes, &pieces);
        }

        #[test]
        fn a_damaged_stream_is_read_like_a_slice(
            bytes in damaged(log()),
            pieces in proptest::collection::vec(1_usize..1500, 1..8),
        ) {
            reads_alike(&bytes, &pieces);
        }
    }

    #[test]
    fn memory_does_not_grow_with_a_frame() {
        let mut feed = Feed::new(All::default(), 7);
        feed.push(b"*1000000\r\n$3\r\nSET\r\n$4000000000\r\n");
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            feed.push(&piece);
            assert!(feed.kept.capacity() <= 4 << 20, "{}", feed.kept.capacity());
        }
        let (_, stop) = feed.finish();
        let claim = Claim { at: 7 + 19, index: 1, bytes: 4_000_000_000, left: 100 << 20 };
        let at = 7 + 32 + (100 << 20);
        assert_eq!(
            stop,
            StreamStop { at: 7, fault: Some(Fault::Short { at, claim: Some(claim) }) }
        );
    }
}
