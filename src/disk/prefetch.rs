//! Asking for memory ahead of its use.

/// Asks the processor to bring the cache line of byte `at` near, without waiting for it. A hint: a place beyond the
/// end is ignored, and so is all of it on processors for which it is not implemented.
#[inline(always)]
pub fn prefetch(bytes: &[u8], at: usize) {
    if let Some(byte) = bytes.get(at) {
        prefetch_ref(byte);
    }
}

/// Asks for the cache line in which a value begins, as [`prefetch`].
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch_ref<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is part of every x86-64. It neither reads nor writes as far as the program
        // can tell, and cannot fault, not even where the file behind a mapping was cut.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
