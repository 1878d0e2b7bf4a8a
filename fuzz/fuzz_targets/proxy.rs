#![no_main]

#[path = "../../crates/server/tests/fuzz/proxy.rs"]
mod proxy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy::run(data));
