//! Reads bytes as log lines.

#![no_main]

mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::check(b"INFO  jepsen.util - 0\t:invoke\t:cas\t", bytes));
