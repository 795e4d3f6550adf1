//! Reads bytes as EDN.

#![no_main]

mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::check(b"{:process 0 :type :invoke ", bytes));
