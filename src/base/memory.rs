//! How much memory the process has of its own.

use std::sync::atomic::{AtomicU64, Ordering};

/// Remembers the highest anonymous memory that was seen.
#[derive(Debug, Default)]
pub struct Memory(AtomicU64);

impl Memory {
    /// Looks now.
    pub fn look(&self) {
        if let Some(bytes) = anonymous() {
            self.0.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// The highest that was seen, in bytes; `None` where the system does not tell.
    pub fn highest(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// Resident memory that no file is behind, in bytes, as Linux tells it.
fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
