//! What the benches share: how long they run, and what they read.

use std::time::Duration;

use criterion::Criterion;

/// Short runs: enough to tell a tenth apart on a quiet machine.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}

#[allow(dead_code)] // Not every bench needs it.
/// A frame with these arguments, as servers write it.
pub(crate) fn frame(args: &[&[u8]]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        frame.extend(format!("${}\r\n", arg.len()).into_bytes());
        frame.extend(*arg);
        frame.extend(b"\r\n");
    }
    frame
}
