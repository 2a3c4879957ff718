//! Shared by the criterion benchmarks: their settings and their input.

use std::time::Duration;

use criterion::Criterion;

/// Returns the settings for short runs, which detect a difference of 10 percent on an idle machine.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}

/// Returns a frame with these arguments, as servers write it.
#[allow(dead_code)] // Not every benchmark needs it.
pub(crate) fn frame(args: &[&[u8]]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        frame.extend(format!("${}\r\n", arg.len()).into_bytes());
        frame.extend(*arg);
        frame.extend(b"\r\n");
    }
    frame
}
