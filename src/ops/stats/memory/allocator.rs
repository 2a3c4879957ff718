//! The sizes that allocators give out.

use std::str::FromStr;

use serde::Serialize;

/// The allocator of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Allocator {
    /// The jemalloc that is part of the servers' source code: sizes up to 64 are multiples of 8.
    #[default]
    Jemalloc,
    /// The jemalloc of a distribution, which its packages use: sizes from 16 up to 128 are multiples of 16.
    SystemJemalloc,
    /// The malloc of the GNU C library.
    Libc,
}

impl Allocator {
    /// Returns the name for people.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Allocator::Jemalloc => "jemalloc",
            Allocator::SystemJemalloc => "jemalloc of the system",
            Allocator::Libc => "libc",
        }
    }
}

impl FromStr for Allocator {
    type Err = String;

    /// Parses the name that JSON has, too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "jemalloc" => Ok(Allocator::Jemalloc),
            "system-jemalloc" => Ok(Allocator::SystemJemalloc),
            "libc" => Ok(Allocator::Libc),
            _ => Err("write jemalloc, system-jemalloc, or libc".to_owned()),
        }
    }
}

/// Where a server allocates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heap {
    pub(super) allocator: Allocator,
    /// Whether the server does not ask the C library for sizes, and counts what it requested.
    pub(super) is_requested: bool,
}

impl Heap {
    /// Returns the size that an allocation takes.
    #[inline]
    pub(super) fn size(self, bytes: u64) -> u64 {
        match self.allocator {
            Allocator::Jemalloc => jemalloc(bytes, 8),
            Allocator::SystemJemalloc => jemalloc(bytes, 16),
            Allocator::Libc if self.is_requested => bytes,
            Allocator::Libc => libc(bytes),
        }
    }
}

/// Size classes of jemalloc: up to eight steps by a step, then four between each two powers of two, as documented.
#[inline]
fn jemalloc(bytes: u64, step: u64) -> u64 {
    match bytes {
        0..=8 => 8,
        _ if bytes <= 8 * step => bytes.next_multiple_of(step),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}

/// The usable size of a chunk of glibc on 64-bit systems: chunks are multiples of 16 with a header of 8, the smallest has
/// 32. Large ones are mapped, with a header of 16.
#[inline]
fn libc(bytes: u64) -> u64 {
    const MAPPED: u64 = 128 << 10;
    if bytes >= MAPPED {
        return (bytes + 16).next_multiple_of(4096) - 16;
    }
    ((bytes + 8).next_multiple_of(16) - 8).max(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_the_servers_report() {
        // By MEMORY USAGE of strings, on servers with each allocator.
        let classes = [(1, 8, 8), (9, 16, 16), (20, 24, 32), (49, 56, 64), (69, 80, 80)];
        for (bytes, small, large) in classes {
            assert_eq!((jemalloc(bytes, 8), jemalloc(bytes, 16)), (small, large), "{bytes}");
        }
        assert_eq!(
            [129, 204, 305, 1005, 5005].map(|bytes| jemalloc(bytes, 16)),
            [160, 224, 320, 1024, 5120]
        );
        assert_eq!([1, 24, 25, 69, 121].map(libc), [24, 24, 40, 72, 136]);
    }
}
