//! Replays the committed corpus of every fuzz target on stable Rust, without the fuzzer.
//!
//! Each target's body is a module here, one function of bytes that panics on a broken promise. The fuzzer's own
//! binaries in `fuzz/` include the same files, so both run the same code.

#![allow(clippy::unwrap_used)]

mod code;
mod dialects;
mod envelope;
mod files;
mod frame;
mod hub;
mod peer;
mod proxy;

use std::path::{Path, PathBuf};
use std::{fs, panic};

use wigwag_dialects::Dialect;

/// More, or larger ones, would make every test run longer for little: minimise them as `docs/develop/fuzzing.md` says.
const FILES_MAX: usize = 200;
const FILE_BYTES_MAX: usize = 8 * 1024;

/// A target's name and its body.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 17] = [
    ("code", code::run),
    ("envelope", envelope::run),
    ("files", files::run),
    ("frame", frame::run),
    ("hub", hub::run),
    ("manamesh", |data| dialects::run_in(Dialect::ManaMesh, data)),
    ("matchbox", |data| dialects::run_in(Dialect::Matchbox, data)),
    ("peer", peer::run),
    ("peerjs", |data| dialects::run_in(Dialect::PeerJs, data)),
    ("proxy", proxy::run),
    ("sniff", dialects::run_any),
    ("tom", |data| dialects::run_in(Dialect::Tom, data)),
    ("tracker", |data| dialects::run_in(Dialect::Tracker, data)),
    ("trystero", |data| dialects::run_in(Dialect::Trystero, data)),
    ("volli", |data| dialects::run_in(Dialect::Volli, data)),
    ("watchparty", |data| dialects::run_in(Dialect::WatchParty, data)),
    ("yjs", |data| dialects::run_in(Dialect::Yjs, data)),
];

#[test]
fn no_corpus_breaks_a_promise() {
    for (target, run) in TARGETS {
        replay(target, run);
    }
}

#[test]
fn every_target_of_the_fuzzer_is_replayed() {
    let mut targets: Vec<_> = files("fuzz_targets").iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    targets.sort();
    assert_eq!(targets, TARGETS.map(|(target, _)| target));
}

fn replay(target: &str, run: fn(&[u8])) {
    let files = files(&format!("corpus/{target}"));
    assert!((1..=FILES_MAX).contains(&files.len()), "{} files of {target}", files.len());
    run(&[]);
    for file in files {
        let data = fs::read(&file).unwrap();
        assert!(data.len() <= FILE_BYTES_MAX, "{} is too large", file.display());
        if panic::catch_unwind(|| run(&data)).is_err() {
            panic!("{} breaks a promise of {target}, see above", file.display());
        }
    }
}

/// What lies in a folder of `fuzz/`, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
