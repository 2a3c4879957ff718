//! Stepping over frames that are as servers write them, on all cores.

use crate::aof::{Frame, Join, Sink, scan_parallel};
use crate::base::progress::Silent;

/// The number of frames of canonical form in a row after which it is worth looking for the end of the run on all cores.
pub(super) const FRAMES_OF_A_RUN: u32 = 256;

/// The number of bytes that are scanned at first. Each further window has as many as all before it, so that what is
/// scanned after the end of the run is never more than the run.
const FIRST_WINDOW: usize = 64 << 10;

/// The maximum number of bytes that are scanned at a time.
const WINDOW: usize = 64 << 20;

/// Returns the end of frames of canonical form that follow each other from `at` on, or a boundary between them: `at` if the
/// first one is longer than is worth a scan.
pub(super) fn canonical_run(bytes: &[u8], at: usize) -> usize {
    run_in_windows(bytes, at, FIRST_WINDOW)
}

fn run_in_windows(bytes: &[u8], start: usize, first_window: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        let window = (at - start).clamp(first_window, WINDOW);
        let window = &bytes[..at.saturating_add(window).min(bytes.len())];
        let scanned = scan_parallel(window, at, FirstOther::default, |_| {}, &Silent);
        if let Some(other) = scanned.sink.0 {
            return usize::try_from(other).unwrap_or(usize::MAX).min(bytes.len());
        }
        // The last frame may go on after the window.
        if scanned.stop.at == at {
            break;
        }
        at = scanned.stop.at;
    }
    at
}

/// The offset of the first annotation, or frame of another form.
#[derive(Default)]
struct FirstOther(Option<u64>);

impl Sink for FirstOther {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        if !frame.is_canonical() && self.0.is_none() {
            self.0 = Some(frame.offset());
        }
    }

    fn annotation(&mut self, offset: u64, _: &[u8]) {
        self.0 = self.0.or(Some(offset));
    }
}

impl Join for FirstOther {
    fn join(&mut self, later: Self) {
        self.0 = self.0.or(later.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reading::canonical_end;
    use super::*;
    use crate::aof::testing::{damaged, frame};

    fn log() -> impl Strategy<Value = Vec<u8>> {
        let argument = proptest::collection::vec(any::<u8>(), 0..40);
        let item = prop_oneof![
            30 => proptest::collection::vec(argument, 1..4).prop_map(|args| frame(&args)),
            1 => Just(b"#TS:1700000000\r\n".to_vec()),
            1 => Just(b"*1\r\n$04\r\nPING\r\n".to_vec()),
        ];
        proptest::collection::vec(item, 0..30).prop_map(|items| items.concat())
    }

    /// Either the end of the run is reached, or a boundary before a frame that is longer than the window.
    fn steps_over_canonical_frames(bytes: &[u8]) {
        for window in [16, 100, 100_000] {
            let found = run_in_windows(bytes, 0, window);
            let mut at = 0;
            while at < found {
                at = canonical_end(bytes, at).expect("only such frames are stepped over");
            }
            assert_eq!(at, found);
            let next = canonical_end(bytes, at).map_or(0, |end| end - at);
            assert!(next == 0 || next > window, "window {window}: stopped at {at}");
        }
    }

    proptest! {
        #[test]
        fn runs_end_where_the_form_does(bytes in log()) {
            steps_over_canonical_frames(&bytes);
        }

        #[test]
        fn runs_end_at_damage(bytes in damaged(log())) {
            steps_over_canonical_frames(&bytes);
        }
    }
}
