//! The scan on all cores, exact.
//!
//! Nothing marks frame boundaries in the middle of a log, and a value may contain text that looks like
//! one. So the file is split into chunks, a boundary is *guessed* in each, and the chunks are scanned
//! in parallel. Then they are joined in order: a guess is right exactly when the scan before it stopped
//! there. A wrong one costs a second scan of its chunk, from the true boundary; the result never
//! depends on the guesses, nor on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::grammar;
use super::scan::{Sink, Stop, scan};
use crate::base::progress::Progress;

/// A sink whose findings over neighbouring stretches of a log can be joined.
pub trait Join: Sink + Send {
    /// Adds what was found in the stretch directly behind this one's.
    fn join(&mut self, later: Self);

    /// The scan of this sink's stretch is over, and joining comes next. Called on the thread that scanned: what
    /// takes time is done here, for the joins are done one after the other.
    fn finish(&mut self) {}
}

/// How much a thread scans at a time, in bytes: large enough that the guess and the join cost nothing,
/// small enough to keep all cores busy to the end.
pub const CHUNK_BYTES: usize = 4 << 20;

/// The sinks of all chunks are kept until they are joined: so many at the most, whatever the file's size.
const CHUNKS: usize = 1024;

/// How many chunks a thread has in the first wave. A log with many damages is scanned anew behind each:
/// all of its rest each time, if all chunks were scanned before the first are joined. So they are scanned in
/// waves, and none begins behind a fault.
const FIRST_WAVE_CHUNKS: usize = 2;

/// How many times as large each wave is as the one before: few waves, for all threads wait at the end of each.
const WAVE_GROWTH: usize = 4;

/// A scan of a whole file: what the sinks found, joined, and where it stopped.
pub struct Scanned<S> {
    /// What was found.
    pub sink: S,
    /// Where and why the scan stopped.
    pub stop: Stop,
}

/// Reads the frames of `bytes` from `start` (a boundary) to the end of the file or the first fault.
///
/// `new` makes an empty sink; `touch` is called with each range before it is read, and may ask the
/// system for its pages. The outcome equals that of one sequential [`scan`] whose sink is joined
/// from any split.
pub fn scan_parallel<S: Join>(
    bytes: &[u8],
    start: usize,
    new: impl Fn() -> S + Sync,
    touch: impl Fn(Range<usize>) + Sync,
    progress: &dyn Progress,
) -> Scanned<S> {
    let chunk_bytes = CHUNK_BYTES.max(bytes.len() / CHUNKS);
    scan_chunks(bytes, start, chunk_bytes, new, touch, progress)
}

/// One chunk's scan, from a guessed boundary.
struct Guess<S> {
    start: usize,
    sink: S,
    stop: Stop,
}

/// [`scan_parallel`] in chunks of `chunk_bytes`, which must not be 0: open to the tests of the joins, which want
/// chunks smaller than frames.
#[doc(hidden)]
pub fn scan_chunks<S: Join>(
    bytes: &[u8],
    start: usize,
    chunk_bytes: usize,
    new: impl Fn() -> S + Sync,
    touch: impl Fn(Range<usize>) + Sync,
    progress: &dyn Progress,
) -> Scanned<S> {
    let chunks = bytes.len().saturating_sub(start).div_ceil(chunk_bytes);
    let range_of = |index: usize| {
        let from = start + index * chunk_bytes;
        from..(from + chunk_bytes).min(bytes.len())
    };
    let scan_guess = |index: usize| -> Option<Guess<S>> {
        let range = range_of(index);
        touch(range.clone());
        let guess = match index {
            0 => Some(start),
            _ => guess_boundary(bytes, range.clone()),
        };
        let guess = guess.map(|start| {
            let mut sink = new();
            let stop = scan(bytes, start..range.end, &mut sink);
            sink.finish();
            Guess { start, sink, stop }
        });
        progress.advance(range.len() as u64);
        guess
    };
    let mut sink = new();
    let mut stop = Stop { at: start, fault: None };
    let mut next = 0;
    let mut wave_chunks = FIRST_WAVE_CHUNKS * rayon::current_num_threads();
    while next < chunks && stop.fault.is_none() {
        let wave = next..chunks.min(next + wave_chunks);
        let guesses: Vec<Option<Guess<S>>> = wave.clone().into_par_iter().map(scan_guess).collect();
        for (index, guess) in wave.clone().zip(guesses) {
            let range = range_of(index);
            if stop.fault.is_some() || stop.at >= range.end {
                continue;
            }
            let exact = guess.filter(|guess| guess.start == stop.at).unwrap_or_else(|| {
                let mut sink = new();
                let from = stop.at;
                let stop = scan(bytes, from..range.end, &mut sink);
                sink.finish();
                Guess { start: from, sink, stop }
            });
            sink.join(exact.sink);
            stop = exact.stop;
        }
        next = wave.end;
        wave_chunks *= WAVE_GROWTH;
    }
    if next < chunks {
        // What lies behind a fault is not read, and yet done with.
        progress.advance((bytes.len() - range_of(next).start) as u64);
    }
    Scanned { sink, stop }
}

/// How many frames in a row must be whole for a guess to be believed.
const FRAMES_TO_BELIEVE: usize = 3;

/// The first place in `range` that looks like a boundary: behind a line end, and followed by
/// canonical frames. Any answer is allowed; a good one saves a second scan.
fn guess_boundary(bytes: &[u8], range: Range<usize>) -> Option<usize> {
    let mut from = range.start.saturating_sub(1);
    while let Some(at) = memchr::memchr(b'\n', bytes.get(from..range.end)?) {
        let boundary = from + at + 1;
        if boundary < range.end && begins_frames(&bytes[boundary..]) {
            return Some(boundary);
        }
        from = boundary;
    }
    None
}

fn begins_frames(mut bytes: &[u8]) -> bool {
    for _ in 0..FRAMES_TO_BELIEVE {
        if bytes.is_empty() {
            return true;
        }
        if let Ok((rest, _)) = grammar::annotation(bytes) {
            bytes = rest;
        }
        match grammar::canonical(bytes) {
            Ok((rest, _)) => bytes = rest,
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::frame::Frame;
    use crate::aof::scan::peek_key;
    use crate::aof::testing::{damaged, frame};
    use crate::base::progress::Silent;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// An offset, a name or a line, the arguments, and whether it is canonical.
    type Found = (u64, Vec<u8>, Vec<Vec<u8>>, bool);

    /// Remembers everything, so that two scans can be compared.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct All(Vec<Found>);

    impl Sink for All {
        fn command(&mut self, frame: Frame<'_>) {
            let args = frame.args().map(<[u8]>::to_vec).collect();
            self.0.push((frame.offset(), frame.name().to_vec(), args, frame.is_canonical()));
        }

        fn annotation(&mut self, offset: u64, line: &[u8]) {
            self.0.push((offset, line.to_vec(), Vec::new(), false));
        }
    }

    impl Join for All {
        fn join(&mut self, later: Self) {
            self.0.extend(later.0);
        }
    }

    /// The definition: the grammar alone, one frame after the other.
    fn by_grammar(bytes: &[u8]) -> Scanned<All> {
        let mut sink = All::default();
        let mut at = 0;
        while at < bytes.len() {
            if let Ok((_, line)) = grammar::annotation(&bytes[at..]) {
                sink.annotation(at as u64, line);
                at += line.len();
                continue;
            }
            let canonical = grammar::canonical(&bytes[at..]).ok().map(|(_, shape)| shape);
            match grammar::tolerated(&bytes[at..]) {
                Ok(shape) => {
                    // What is canonical is what servers write, and nothing else.
                    assert_eq!(canonical, shape.canonical.then_some(shape));
                    let frame = Frame::read(at as u64, &bytes[at..]).unwrap();
                    if frame.argc() > 1
                        && let Some(key) = peek_key(bytes, at)
                    {
                        assert_eq!(frame.args().nth(1), Some(key));
                    }
                    sink.command(frame);
                    at += shape.len;
                }
                Err(fault) => {
                    assert_eq!(canonical, None);
                    return Scanned { sink, stop: Stop { at, fault: Some(fault.moved(at)) } };
                }
            }
        }
        Scanned { sink, stop: Stop { at, fault: None } }
    }

    /// Arguments as logs have them, with values that look like frames among them.
    fn argument() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            Just(b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n".to_vec()),
            (90_usize..1200).prop_map(|len| vec![b'v'; len]),
            Just(b"\r\n".to_vec()),
        ]
    }

    fn log() -> impl Strategy<Value = Vec<u8>> {
        let item = prop_oneof![
            8 => proptest::collection::vec(argument(), 1..5).prop_map(|args| frame(&args)),
            1 => Just(b"#TS:1700000000\r\n".to_vec()),
            1 => Just(b"#".to_vec()),
            1 => Just(b"*1\n$04\nPINGxx".to_vec()),
            1 => Just(frame(&vec![b"x".to_vec(); 113])),
        ];
        proptest::collection::vec(item, 0..40).prop_map(|items| items.concat())
    }

    #[test]
    fn a_fault_at_the_start_costs_one_wave_and_not_the_whole_file() {
        let bytes = [b"x", &frame(&[b"PING".to_vec()]).repeat(100_000)[..]].concat();
        let (touched, told) = (AtomicU64::new(0), Told::default());
        let touch = |range: Range<usize>| {
            touched.fetch_add(range.len() as u64, Ordering::Relaxed);
        };
        let scanned = scan_chunks(&bytes, 0, 7, All::default, touch, &told);
        assert_eq!(scanned.stop.at, 0);
        assert!(scanned.stop.fault.is_some());
        assert!(touched.into_inner() < bytes.len() as u64 / 10);
        assert_eq!(told.0.into_inner(), bytes.len() as u64, "progress comes to its end");
    }

    #[derive(Default)]
    struct Told(AtomicU64);

    impl Progress for Told {
        fn advance(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn all_scans_agree(bytes: &[u8]) {
        let defined = by_grammar(bytes);
        let mut sink = All::default();
        let stop = scan(bytes, 0..bytes.len(), &mut sink);
        assert_eq!((&sink, stop), (&defined.sink, defined.stop), "the loop and the grammar differ");
        for chunk_bytes in [7, 64, 1000] {
            let parallel = scan_chunks(bytes, 0, chunk_bytes, All::default, |_| {}, &Silent);
            assert_eq!(parallel.stop, defined.stop, "chunks of {chunk_bytes}");
            assert_eq!(parallel.sink, defined.sink, "chunks of {chunk_bytes}");
        }
    }

    proptest! {
        #[test]
        fn every_scan_gives_what_the_grammar_gives(bytes in log()) {
            all_scans_agree(&bytes);
        }

        #[test]
        fn also_of_damaged_logs(bytes in damaged(log())) {
            all_scans_agree(&bytes);
        }

        #[test]
        fn also_of_noise(bytes in "[*$#0-9\r\n x]{0,200}") {
            all_scans_agree(bytes.as_bytes());
        }
    }
}
