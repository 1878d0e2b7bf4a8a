#![no_main]

#[path = "../../crates/server/tests/fuzz/files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| files::run(data));
