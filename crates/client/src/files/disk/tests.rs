use tempfile::TempDir;

use super::*;

#[test]
fn a_file_comes_beside_its_place_and_is_put_there_whole() {
    let (there, mut disk) = disk_in(false);
    assert_eq!(disk.look(entry("a/b", 70_000)).unwrap(), (0, Digest::default()));
    disk.begin(0).unwrap();
    let (first, rest) = (vec![1; 65_536], vec![2; 4_464]);
    disk.write(&first).unwrap();
    assert!(there.path().join("a/b.wigwag-part").exists() && !there.path().join("a/b").exists());
    disk.write(&rest).unwrap();
    let kept = disk.finish(digest(&[&first, &rest])).unwrap();
    assert_eq!((kept.place, kept.already, kept.renamed), (there.path().join("a/b"), false, false));
    assert_eq!(names(&there.path().join("a")), ["b"]);
}

#[test]
fn what_came_before_is_gone_on_with_in_whole_pieces() {
    let (there, mut disk) = disk_in(false);
    let part = there.path().join("a.wigwag-part");
    fs::write(&part, vec![1; 100_000]).unwrap();
    let first = vec![1; 65_536];
    assert_eq!(disk.look(entry("a", 131_072)).unwrap(), (65_536, digest(&[&first])));
    disk.begin(65_536).unwrap();
    disk.write(&first).unwrap();
    disk.finish(digest(&[&first, &first])).unwrap();
    assert_eq!(fs::read(there.path().join("a")).unwrap(), vec![1; 131_072]);
}

#[test]
fn a_part_of_something_else_is_begun_anew() {
    let (there, mut disk) = disk_in(false);
    fs::write(there.path().join("a.wigwag-part"), vec![9; 100_000]).unwrap();
    assert_eq!(disk.look(entry("a", 2)).unwrap().0, 0, "it is too long to be its beginning");
    disk.begin(0).unwrap();
    disk.write(b"hi").unwrap();
    disk.finish(digest(&[b"hi"])).unwrap();
    assert_eq!(fs::read(there.path().join("a")).unwrap(), b"hi");
}

#[test]
fn what_is_damaged_is_thrown_away() {
    let (there, mut disk) = disk_in(false);
    disk.look(entry("a", 2)).unwrap();
    disk.begin(0).unwrap();
    disk.write(b"hi").unwrap();
    assert_eq!(disk.finish(digest(&[b"ho"])).unwrap_err().reason, Reason::Broken);
    assert!(names(there.path()).is_empty());
}

#[test]
fn a_name_that_comes_twice_is_two_files_even_where_others_may_be_overwritten() {
    for overwrite in [false, true] {
        let (there, mut disk) = disk_in(overwrite);
        fs::write(there.path().join("a"), "before").unwrap();
        disk.look(entry("a", 3)).unwrap();
        disk.look(entry("a", 3)).unwrap();
        for content in [b"one", b"two"] {
            disk.begin(0).unwrap();
            disk.write(content).unwrap();
            disk.finish(digest(&[content])).unwrap();
        }
        let read = |name: &str| fs::read_to_string(there.path().join(name)).unwrap();
        let (first, second) = if overwrite { ("a", "a (1)") } else { ("a (1)", "a (2)") };
        assert_eq!((read(first).as_str(), read(second).as_str()), ("one", "two"));
        assert_eq!(names(there.path()).len(), if overwrite { 2 } else { 3 });
    }
}

#[test]
fn what_is_there_already_under_its_name_or_a_number_is_left_as_it_is() {
    let (there, mut disk) = disk_in(false);
    fs::write(there.path().join("a.txt"), "other, longer").unwrap();
    fs::write(there.path().join("a (1).txt"), "same").unwrap();
    assert_eq!(disk.look(entry("a.txt", 4)).unwrap(), (4, digest(&[b"same"])));
    disk.begin(4).unwrap();
    let kept = disk.finish(digest(&[b"same"])).unwrap();
    assert_eq!((kept.place, kept.already), (there.path().join("a (1).txt"), true));
    assert_eq!(names(there.path()), ["a (1).txt", "a.txt"]);
}

#[test]
fn two_transfers_do_not_write_one_file() {
    let (there, mut one) = disk_in(false);
    let mut other = Disk::new(one.into.clone());
    one.look(entry("a", 2)).unwrap();
    one.begin(0).unwrap();
    one.write(b"x").unwrap();
    let failure = other.look(entry("a", 2)).unwrap_err();
    assert!(failure.reason == Reason::Disk && failure.why.contains("another transfer"), "{failure:?}");
    drop(one);
    assert!(other.look(entry("a", 2)).is_ok());
    assert_eq!(names(there.path()), ["a.wigwag-part"]);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    use std::os::unix::fs::symlink;

    let (there, mut disk) = disk_in(true);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("mine"), "mine").unwrap();
    symlink(elsewhere.path(), there.path().join("folder")).unwrap();
    symlink(elsewhere.path().join("mine"), there.path().join("file")).unwrap();
    symlink(elsewhere.path().join("mine"), there.path().join("b.wigwag-part")).unwrap();
    assert_eq!(disk.look(entry("folder/a", 1)).unwrap_err().reason, Reason::Disk);
    assert_eq!(disk.folder(&FilePath::new("folder/new").unwrap()).unwrap_err().reason, Reason::Disk);
    assert_eq!(disk.look(entry("b", 1)).unwrap_err().reason, Reason::Disk);
    disk.look(entry("file", 1)).unwrap();
    disk.begin(0).unwrap();
    disk.write(b"x").unwrap();
    disk.finish(digest(&[b"x"])).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.path().join("mine")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(there.path().join("file")).unwrap(), "x", "the link itself gave way");
}

#[test]
fn more_than_fits_is_refused_before_it_comes() {
    let (_there, mut disk) = disk_in(false);
    if free_bytes(&disk.into.folder).is_some() {
        assert_eq!(disk.look(entry("a", 9_007_199_254_740_991)).unwrap_err().reason, Reason::TooLarge);
    }
}

fn disk_in(overwrite: bool) -> (TempDir, Disk) {
    let there = tempfile::tempdir().unwrap();
    let disk = Disk::new(Into { folder: there.path().to_owned(), overwrite });
    (there, disk)
}

fn entry(path: &str, size: u64) -> Entry {
    Entry { path: FilePath::new(path).unwrap(), kind: Kind::File { size, modified: None, executable: false } }
}

fn digest(pieces: &[&[u8]]) -> Digest {
    let mut chain = Chain::default();
    pieces.iter().for_each(|piece| chain.add(piece));
    chain.digest()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
