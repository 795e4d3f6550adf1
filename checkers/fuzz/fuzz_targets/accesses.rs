//! Reads bytes as accesses of transactions, in both texts.

#![no_main]

mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match bytes.split_first() {
    Some((first, rest)) if first % 2 == 0 => claims::check(b"w(7,1,0,0)\n", rest),
    Some((_, rest)) => claims::check(b"w 7 1\n", rest),
    None => {}
});
