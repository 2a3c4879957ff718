//! Prefetching of memory.

/// Prefetches the cache line of byte `at`, without waiting for it. This is a hint: a position
/// beyond the end is ignored, and the function does nothing on processors for which it is not
/// implemented.
#[inline(always)]
pub fn prefetch(bytes: &[u8], at: usize) {
    if let Some(byte) = bytes.get(at) {
        prefetch_ref(byte);
    }
}

/// Prefetches the cache line in which a value begins, like [`prefetch`].
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch_ref<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is part of every x86-64. It has no visible effect on memory, and
        // cannot fault, not even if the mapped file was truncated.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
