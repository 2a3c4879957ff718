//! Frames: four readers of one grammar.

use aofkit::aof::parallel::{Join, Scanned, scan_chunks};
use aofkit::aof::{Frame, Sink, Stop, grammar, scan};
use aofkit::base::progress::Silent;

/// Sizes of chunks: smaller than frames, about the same size, and larger.
const CHUNK_BYTES: [usize; 3] = [7, 61, 1000];

/// The canonical grammar accepts exactly what the tolerant one reports as canonical. The loop of the scan reads the same
/// as the grammar. The parallel scan finds the same as the sequential one for every chunk size.
pub fn frame(bytes: &[u8]) {
    let defined = by_grammar(bytes);
    let mut sink = All::default();
    let stop = scan(bytes, 0..bytes.len(), &mut sink);
    assert_eq!(stop, defined.stop, "the loop and the grammar stop at different bytes");
    assert_eq!(sink, defined.sink, "the loop and the grammar find different frames");
    for chunk_bytes in CHUNK_BYTES {
        let parallel = scan_chunks(bytes, 0, chunk_bytes, All::default, |_| {}, &Silent);
        assert_eq!(parallel.stop, defined.stop, "chunks of {chunk_bytes}");
        assert_eq!(parallel.sink, defined.sink, "chunks of {chunk_bytes}");
    }
}

/// A frame or an annotation: its offset, its bytes, its arguments, and whether it is canonical.
type Item = (u64, Vec<u8>, Vec<Vec<u8>>, bool);

/// Collects everything, so that two scans can be compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct All(Vec<Item>);

impl Sink for All {
    fn command(&mut self, frame: Frame<'_>) {
        let args: Vec<Vec<u8>> = frame.args().map(<[u8]>::to_vec).collect();
        assert_eq!(args.len(), frame.argc() as usize, "as many arguments as declared");
        assert_eq!(args[0], frame.name(), "the name comes first");
        assert_eq!(frame.end() - frame.offset(), frame.bytes().len() as u64);
        self.0.push((frame.offset(), frame.bytes().to_vec(), args, frame.is_canonical()));
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        let _ = grammar::timestamp(line);
        self.0.push((offset, line.to_vec(), Vec::new(), false));
    }
}

impl Join for All {
    fn join(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// Reads the bytes with the grammar, which is the definition.
fn by_grammar(bytes: &[u8]) -> Scanned<All> {
    let mut sink = All::default();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Ok((_, line)) = grammar::annotation(rest) {
            sink.annotation(at as u64, line);
            at += line.len();
            continue;
        }
        let canonical = grammar::canonical(rest).ok().map(|(_, shape)| shape);
        match grammar::tolerated(rest) {
            Ok(shape) => {
                assert_eq!(canonical, shape.canonical.then_some(shape));
                let frame = Frame::read(at as u64, rest).expect("a tolerated frame");
                sink.command(frame);
                at += shape.len;
            }
            Err(fault) => {
                assert_eq!(canonical, None, "canonical but a fault: {fault:?}");
                assert!(fault.at() <= rest.len(), "a fault after the end: {fault:?}");
                return Scanned { sink, stop: Stop { at, fault: Some(fault.offset_by(at)) } };
            }
        }
    }
    Scanned { sink, stop: Stop { at, fault: None } }
}
