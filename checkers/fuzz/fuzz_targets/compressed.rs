//! Reads bytes as whatever format and compression they show.

#![no_main]

mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::check(b"", bytes));
