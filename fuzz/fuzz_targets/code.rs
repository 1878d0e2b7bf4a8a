#![no_main]

#[path = "../../crates/server/tests/fuzz/code.rs"]
mod code;

libfuzzer_sys::fuzz_target!(|data: &[u8]| code::run(data));
