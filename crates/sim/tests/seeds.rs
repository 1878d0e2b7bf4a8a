//! A few seeds of the simulated world, with everything else that `cargo test` runs. `cargo xtask check sim` runs many more.

use wigwag_sim::{Counts, run};

#[test]
fn no_promise_is_broken_in_these_worlds_and_everything_happens_in_them() {
    let mut counts = Counts::default();
    for seed in 0..30 {
        let report = run(seed, None);
        assert_eq!(report.broken, Vec::<String>::new(), "replay: cargo run -p wigwag-sim -- replay --seed {seed}");
        counts += report.counts;
    }
    assert_eq!(counts.absent(), Vec::<&str>::new(), "a world in which nothing happens proves nothing: {counts}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    for seed in [3, 4, 5] {
        assert_eq!(run(seed, None), run(seed, None));
        assert_ne!(run(seed, None).trace, run(seed + 1, None).trace);
    }
}

#[test]
fn to_be_watched_changes_nothing() {
    let mut lines = 0;
    let watched = run(7, Some(&mut |_| lines += 1));
    assert_eq!(watched, run(7, None));
    assert!(lines > 100);
}
