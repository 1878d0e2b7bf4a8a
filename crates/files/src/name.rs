//! What a file that came is called here, where its own name will not do.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The end of the name of what is not whole yet.
pub const PART: &str = ".wigwag-part";

/// Longest name that common systems take, in bytes.
const NAME_MAX: usize = 255;

/// Names that Windows keeps for devices, with any extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// What a part of a path is called on this machine. `windows`: by the rules of that system. A name that reads as one of ours gets another end.
pub fn local_name(part: &str, windows: bool) -> String {
    let mut name = part.to_owned();
    if windows {
        name = name.chars().map(|char| if "<>:\"|?*".contains(char) { '_' } else { char }).collect();
        if name.ends_with([' ', '.']) {
            name.pop();
            name.push('_');
        }
        let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
        let is_port =
            |prefix: &str| stem.strip_prefix(prefix).is_some_and(|port| port.chars().count() == 1 && port != "0");
        if DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt") {
            name.insert(0, '_');
        }
    }
    if name.to_lowercase().ends_with(PART) {
        name = shorten(&name, 1);
        name.push('_');
    }
    name
}

/// The name with a number before its extension: `photo (1).jpg`. Number 0 is the name itself.
pub fn numbered(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|at| *at > 0 && name.len() - at <= 16).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let tail = format!(" ({number}){extension}");
    format!("{}{tail}", shorten(stem, tail.len()))
}

/// What a file is called while it is not whole. The same for the same name, so that it is found again.
pub fn part_name(name: &str) -> String {
    if name.len() + PART.len() <= NAME_MAX {
        return format!("{name}{PART}");
    }
    let mut mark = String::from("-");
    for byte in &Sha256::digest(name)[..8] {
        let _ = write!(mark, "{byte:02x}");
    }
    format!("{}{mark}{PART}", shorten(name, mark.len() + PART.len()))
}

/// As much of the name as leaves room for so many bytes more.
fn shorten(name: &str, more: usize) -> String {
    name[..name.floor_char_boundary(NAME_MAX.saturating_sub(more))].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_system_keeps_for_itself_are_written_otherwise_there() {
        for (name, on_windows, elsewhere) in [
            ("photo.jpg", "photo.jpg", "photo.jpg"),
            ("CON", "_CON", "CON"),
            ("nul.tar.gz", "_nul.tar.gz", "nul.tar.gz"),
            ("com1.txt", "_com1.txt", "com1.txt"),
            ("com0", "com0", "com0"),
            ("company", "company", "company"),
            ("a:b?.txt", "a_b_.txt", "a:b?.txt"),
            ("end.", "end_", "end."),
            ("end ", "end_", "end "),
            ("x.wigwag-part", "x.wigwag-part_", "x.wigwag-part_"),
            ("x.WIGWAG-Part", "x.WIGWAG-Part_", "x.WIGWAG-Part_"),
        ] {
            assert_eq!((local_name(name, true).as_str(), local_name(name, false).as_str()), (on_windows, elsewhere));
        }
    }

    #[test]
    fn a_number_goes_before_the_extension_and_no_name_grows_too_long() {
        for (name, first) in
            [("a.jpg", "a (1).jpg"), (".profile", ".profile (1)"), ("notes", "notes (1)"), ("a.tar.gz", "a.tar (1).gz")]
        {
            assert_eq!((numbered(name, 0).as_str(), numbered(name, 1).as_str()), (name, first));
        }
        let long = "ä".repeat(127);
        for made in [numbered(&long, 17), part_name(&long), local_name(&format!("{}{PART}", "a".repeat(243)), false)] {
            assert!(made.len() <= NAME_MAX, "{made}");
        }
        assert_ne!(part_name(&long), part_name(&format!("{long}b")));
        assert_eq!(part_name("a.jpg"), "a.jpg.wigwag-part");
    }
}
