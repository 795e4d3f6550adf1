//! Reads bytes as JSON Lines.

#![no_main]

mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::check(br#"{"process":0,"type":"invoke","#, bytes));
