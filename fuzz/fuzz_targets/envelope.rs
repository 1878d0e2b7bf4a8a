#![no_main]

#[path = "../../crates/server/tests/fuzz/envelope.rs"]
mod envelope;

libfuzzer_sys::fuzz_target!(|data: &[u8]| envelope::run(data));
