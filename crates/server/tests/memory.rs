//! What a flood needed goes back to the system. A program of its own, because nothing else may allocate meanwhile.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

const PIECES: usize = 20_000;
const PIECE: usize = 16_000;
/// Of so many pieces one stays, so that no heap gets any shorter.
const KEPT: usize = 100;

#[test]
fn what_was_freed_between_what_is_used_goes_back_to_the_system() {
    let before = resident();
    let mut pieces: Vec<Vec<u8>> = (0..PIECES).map(|_| vec![1; PIECE]).collect();
    let full = resident() - before;
    assert!(full >= PIECES * PIECE, "{full} bytes for all");
    let mut place = 0;
    pieces.retain(|_| {
        place += 1;
        place % KEPT == 0
    });
    wigwag_server::memory::give_back();
    let deadline = Instant::now() + Duration::from_secs(20);
    while resident() > before + full / 20 {
        assert!(Instant::now() < deadline, "{} bytes of {full} stayed", resident() - before);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(pieces.len(), PIECES / KEPT);
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}
