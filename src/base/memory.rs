//! The anonymous memory of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// Records the highest amount of anonymous memory.
#[derive(Debug, Default)]
pub struct Memory(AtomicU64);

impl Memory {
    /// Measures the memory now.
    pub fn look(&self) {
        if let Some(bytes) = anonymous() {
            self.0.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// Returns the highest measured amount in bytes; `None` if the system does not report it.
    pub fn highest(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// Returns the resident memory that is not backed by a file, in bytes, as reported by Linux.
fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
