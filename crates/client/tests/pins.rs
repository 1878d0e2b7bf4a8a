//! Keys of names in a file: kept from run to run, shared by programs that run at once, and never half written.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use wigwag::{FilePins, Identity, PeerId, Pins, PinsError, PublicKey, Signer};

#[test]
fn a_key_that_was_met_is_known_in_the_next_run() {
    let file = File::new("next-run");
    let mut pins = FilePins::open(&file.0).unwrap();
    assert_eq!((pins.read("", &name(1)), pins.count()), (None, 0));
    assert_eq!(pins.meet("", &name(1), key(1)), key(1));
    assert_eq!(pins.meet("chess", &name(1), key(2)), key(2), "another world is another matter");
    let pins = FilePins::open(&file.0).unwrap();
    assert_eq!((pins.read("", &name(1)), pins.read("chess", &name(1))), (Some(key(1)), Some(key(2))));
    assert_eq!((pins.read("", &name(2)), pins.count()), (None, 2));
}

#[test]
fn of_two_programs_that_meet_a_name_at_once_both_hold_to_the_first_key() {
    let file = File::new("two-programs");
    let (mut one, mut other) = (FilePins::open(&file.0).unwrap(), FilePins::open(&file.0).unwrap());
    assert_eq!((one.read("", &name(1)), other.read("", &name(1))), (None, None));
    assert_eq!(one.meet("", &name(1), key(1)), key(1));
    assert_eq!(other.meet("", &name(1), key(2)), key(1));
    other.pin("", &name(1), key(3));
    assert_eq!(one.read("", &name(1)), Some(key(3)), "a person said so, to the other program");
}

#[test]
fn many_at_once_lose_nothing() {
    let file = File::new("many");
    std::thread::scope(|scope| {
        for each in 0..8 {
            let path = &file.0;
            scope.spawn(move || {
                let mut pins = FilePins::open(path).unwrap();
                for number in 0..5 {
                    pins.meet("", &name(each * 5 + number), key(each as u8));
                }
            });
        }
    });
    assert_eq!(FilePins::open(&file.0).unwrap().count(), 40);
}

#[test]
fn a_line_that_nobody_understands_is_told_and_not_passed_over() {
    let file = File::new("bad-line");
    let mut pins = FilePins::open(&file.0).unwrap();
    pins.meet("", &name(1), key(1));
    let good = fs::read_to_string(&file.0).unwrap();
    fs::write(&file.0, format!("{good}ben@example.org is a friend\n")).unwrap();
    let lines = good.lines().count();
    assert!(matches!(FilePins::open(&file.0), Err(PinsError::BadLine { line, .. }) if line == lines + 1));
    assert_eq!(pins.read("", &name(1)), Some(key(1)), "who has it open goes on with what it knew");
    assert_eq!(pins.meet("", &name(2), key(2)), key(2));
    assert!(fs::read_to_string(&file.0).unwrap().contains("is a friend"), "and changes nothing in it");
}

#[test]
fn where_nothing_can_be_written_keys_are_held_in_memory() {
    let file = File::new("folder");
    let mut pins = FilePins::open(file.0.join("nobody/is/here")).unwrap();
    fs::write(&file.0, "a file, where a folder should be").unwrap();
    assert_eq!(pins.meet("", &name(1), key(1)), key(1));
    assert_eq!(pins.meet("", &name(1), key(2)), key(1));
}

fn name(number: u32) -> PeerId {
    PeerId::new(&format!("peer{number}@example.org")).unwrap()
}

fn key(seed: u8) -> PublicKey {
    Identity::ed25519(&[seed; 32]).key()
}

/// A file that is gone with its test, and what lies beside it.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wigwag-pins-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder.join("known-keys"))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}
