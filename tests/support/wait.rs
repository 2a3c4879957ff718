//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// Polls until the condition holds.
///
/// # Panics
///
/// If it does not hold within a minute; the limit only prevents hanging.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
