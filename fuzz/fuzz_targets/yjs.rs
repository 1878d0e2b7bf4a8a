#![no_main]

#[allow(dead_code, reason = "shared by the targets of all dialects")]
#[path = "../../crates/server/tests/fuzz/dialects.rs"]
mod dialects;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dialects::run_in(wigwag_dialects::Dialect::Yjs, data));
