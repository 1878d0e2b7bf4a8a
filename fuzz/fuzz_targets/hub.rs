#![no_main]

#[path = "../../crates/server/tests/fuzz/hub.rs"]
mod hub;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hub::run(data));
