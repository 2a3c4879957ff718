#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aofkit_fuzz::operations(bytes));
