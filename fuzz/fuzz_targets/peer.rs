#![no_main]

#[path = "../../crates/server/tests/fuzz/peer.rs"]
mod peer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer::run(data));
