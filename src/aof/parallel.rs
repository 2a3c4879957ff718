//! The scan on all cores, with exact results.
//!
//! Frame boundaries in the middle of a log are not marked, and a value may contain text that looks
//! like one. So the file is split into chunks, a boundary is *guessed* in each, and the chunks are
//! scanned in parallel. Then they are joined in order: a guess is right if and only if the previous
//! scan stopped there. A wrong guess costs a second scan of its chunk, from the true boundary; the
//! result never depends on the guesses, nor on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::grammar;
use super::scan::{Sink, Stop, scan};
use crate::base::progress::Progress;

/// A sink whose results for adjacent segments of a log can be joined.
pub trait Join: Sink + Send {
    /// Adds the results of the segment directly after this one.
    fn join(&mut self, later: Self);

    /// The scan of this sink's segment has ended, and joining follows. Called on the thread that
    /// scanned: expensive work belongs here, because joins are executed one by one.
    fn finish(&mut self) {}
}

/// Number of bytes that a thread scans at a time: large enough to make the cost of guess and join
/// negligible, small enough to keep all cores busy until the end.
pub const CHUNK_BYTES: usize = 4 << 20;

/// Maximum number of chunks. The sinks of all chunks are stored until they are joined, so the limit
/// applies regardless of the size of the file.
const CHUNKS: usize = 1024;

/// Number of chunks per thread in the first wave. A log with many damaged places is scanned again
/// after each of them; if all chunks were scanned before the first are joined, that would be the
/// whole rest each time. So chunks are scanned in waves, and no wave begins after a fault.
const FIRST_WAVE_CHUNKS: usize = 2;

/// Growth factor of the waves. There should be few, because all threads wait at the end of each.
const WAVE_GROWTH: usize = 4;

/// The result of scanning a whole file: the joined sinks, and the position at which the scan
/// stopped.
pub struct Scanned<S> {
    /// The joined sink.
    pub sink: S,
    /// The position at which the scan stopped, and the reason.
    pub stop: Stop,
}

/// Reads the frames of `bytes` from `start` (a boundary) to the end of the file or the first fault.
///
/// `new` creates an empty sink; `touch` is called with each range before it is read, and may
/// request its pages from the system. The result equals that of one sequential [`scan`] whose sink
/// is joined from any split.
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

/// The scan of one chunk, from a guessed boundary.
struct Guess<S> {
    start: usize,
    sink: S,
    stop: Stop,
}

/// [`scan_parallel`] in chunks of `chunk_bytes`, which must not be 0. Public for tests of the
/// joins, which require chunks smaller than frames.
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
        if progress.is_cancelled() {
            return None;
        }
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
    while next < chunks && stop.fault.is_none() && !progress.is_cancelled() {
        let wave = next..chunks.min(next + wave_chunks);
        let guesses: Vec<Option<Guess<S>>> = wave.clone().into_par_iter().map(scan_guess).collect();
        for (index, guess) in wave.clone().zip(guesses) {
            let range = range_of(index);
            if stop.fault.is_some() || stop.at >= range.end || progress.is_cancelled() {
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
        // Bytes after a fault are not read, but count as processed.
        progress.advance((bytes.len() - range_of(next).start) as u64);
    }
    Scanned { sink, stop }
}

/// Number of consecutive complete frames required to accept a guess.
const FRAMES_TO_BELIEVE: usize = 3;

/// Returns the first position in `range` that looks like a boundary: after a line end, and followed
/// by canonical frames. Any result is correct; a good one saves a second scan.
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

    /// Records everything, so that two scans can be compared.
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

    /// The reference: the grammar alone, one frame after the other.
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
                    // Canonical frames are those that servers write, and no others.
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
                    return Scanned { sink, stop: Stop { at, fault: Some(fault.offset_by(at)) } };
                }
            }
        }
        Scanned { sink, stop: Stop { at, fault: None } }
    }

    /// Arguments as in logs, including values that look like frames.
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
        let (touched, progress) = (AtomicU64::new(0), Advanced::default());
        let touch = |range: Range<usize>| {
            touched.fetch_add(range.len() as u64, Ordering::Relaxed);
        };
        let scanned = scan_chunks(&bytes, 0, 7, All::default, touch, &progress);
        assert_eq!(scanned.stop.at, 0);
        assert!(scanned.stop.fault.is_some());
        assert!(touched.into_inner() < bytes.len() as u64 / 10);
        assert_eq!(progress.0.into_inner(), bytes.len() as u64, "progress comes to its end");
    }

    #[derive(Default)]
    struct Advanced(AtomicU64);

    impl Progress for Advanced {
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
        fn every_scan_equals_the_grammar(bytes in log()) {
            all_scans_agree(&bytes);
        }

        #[test]
        fn every_scan_of_damaged_logs_equals_the_grammar(bytes in damaged(log())) {
            all_scans_agree(&bytes);
        }

        #[test]
        fn every_scan_of_noise_equals_the_grammar(bytes in "[*$#0-9\r\n x]{0,200}") {
            all_scans_agree(bytes.as_bytes());
        }
    }
}
