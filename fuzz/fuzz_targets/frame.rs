#![no_main]

#[path = "../../crates/server/tests/fuzz/frame.rs"]
mod frame;

libfuzzer_sys::fuzz_target!(|data: &[u8]| frame::run(data));
