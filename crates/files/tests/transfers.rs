//! A sender and a receiver opposite each other, and each opposite somebody who keeps to nothing.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use wigwag_files::{
    Chain, Digest, End, Entry, FilePath, FromReceiver, FromSender, Kind, Reason, Receiver, Sender, Step, Task,
    WINDOW_BYTES,
};

#[test]
fn files_and_folders_arrive_whole_and_in_order() {
    let files = [("a", bytes(0)), ("b/c", bytes(1)), ("b/d", bytes(65_536)), ("e", bytes(9_000_000))];
    let there = cross(&files, BTreeMap::new()).unwrap();
    assert_eq!(there.kept, files.iter().map(|(path, file)| ((*path).to_owned(), file.clone())).collect());
    assert_eq!((there.crossed, there.folders), (9_065_537, vec!["empty".to_owned()]));
}

#[test]
fn what_is_there_already_does_not_cross_again() {
    let files = [("half", bytes(1_000_000)), ("whole", bytes(70_000)), ("other", bytes(200_000))];
    let had = [("half", bytes(1_000_000)[..500_000].to_vec()), ("whole", bytes(70_000)), ("other", vec![9; 200_000])];
    let had = had.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
    let there = cross(&files, had).unwrap();
    assert!(files.iter().all(|(path, file)| there.kept[*path] == *file));
    assert_eq!(there.crossed, 1_000_000 - 458_752 + 200_000, "whole pieces stay, and what is otherwise comes anew");
}

#[test]
fn ten_thousand_files_are_announced_a_few_at_a_time() {
    let files: Vec<(String, Vec<u8>)> = (0..10_000).map(|i| (format!("f{i}"), vec![1; i % 3])).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(path, file)| (path.as_str(), file.clone())).collect();
    assert_eq!(cross(&files, BTreeMap::new()).unwrap().kept.len(), 10_000);
}

#[test]
fn a_file_that_is_not_what_was_sent_is_not_kept() {
    let mut pair = Pair::new(&[("a", bytes(100_000))], BTreeMap::new());
    pair.damage = true;
    assert_eq!(pair.run(), Err(End::Ours(Reason::Broken)));
    assert!(pair.disk.kept.is_empty());
}

#[test]
fn a_receiver_ends_what_goes_beyond_the_page() {
    let offer = r#"{"type":"offer","v":1,"name":"x","files":1,"bytes":10}"#;
    let file = r#"{"type":"file","n":1,"path":"a","size":10}"#;
    for (words, reason) in [
        (&[file][..], Reason::Broken),
        (&["{"], Reason::Broken),
        (&[offer, offer], Reason::Broken),
        (&[offer, "go", offer], Reason::Broken),
        (&[offer, file], Reason::Broken),
        (&[offer, "go", r#"{"type":"file","n":2,"path":"a","size":10}"#], Reason::Broken),
        (&[offer, "go", r#"{"type":"file","n":1,"path":"a","size":11}"#], Reason::Broken),
        (&[offer, "go", r#"{"type":"file","n":1,"path":"../a","size":1}"#], Reason::BadPath),
        (&[offer, "go", r#"{"type":"folder","n":1,"path":"/a"}"#], Reason::BadPath),
        (&[offer, "go", file, r#"{"type":"file","n":2,"path":"b","size":0}"#], Reason::Broken),
        (&[offer, "go", "bytes 10"], Reason::Broken),
        (&[offer, "go", file, "bytes 10"], Reason::Broken),
        (&[offer, "go", file, r#"{"type":"bytes","n":1,"from":0}"#], Reason::Broken),
        (&[offer, "go", file, "take", r#"{"type":"bytes","n":1,"from":1}"#], Reason::Broken),
        (&[offer, "go", file, "take", r#"{"type":"bytes","n":1,"from":0}"#, "bytes 9"], Reason::Broken),
        (&[offer, "go", file, "take", r#"{"type":"bytes","n":1,"from":0}"#, "bytes 10", "bytes 1"], Reason::Broken),
        (&[offer, "go", file, "take", r#"{"type":"bytes","n":1,"from":0}"#, "end"], Reason::Broken),
        (&[offer, "go", r#"{"type":"done"}"#], Reason::Broken),
        (&[offer, "go", file, "take", r#"{"type":"done"}"#], Reason::Broken),
    ] {
        let (mut receiver, mut out) = (Receiver::default(), Vec::new());
        for word in words {
            assert!(!out.iter().any(|task| matches!(task, Task::Over(_))), "{words:?} ends early");
            match *word {
                "go" => receiver.accept(&mut out),
                "take" => receiver.take(0, Digest::default(), &mut out),
                "end" => receiver.hear(&format!(r#"{{"type":"end","n":1,"hash":"{}"}}"#, Digest::default()), &mut out),
                word => match word.strip_prefix("bytes ") {
                    Some(count) => receiver.hear_bytes(count.parse().unwrap(), &mut out),
                    None => receiver.hear(word, &mut out),
                },
            }
        }
        let end = &out[out.len() - 2..];
        assert_eq!(end, [Task::Say(FromReceiver::No(reason)), Task::Over(Err(End::Ours(reason)))], "{words:?}");
    }
}

#[test]
fn a_sender_ends_what_goes_beyond_the_page() {
    let take = r#"{"type":"take","n":1,"from":0}"#;
    for words in [
        &[take][..],
        &[r#"{"type":"done"}"#],
        &["accept", "accept"],
        &["accept", r#"{"type":"take","n":2,"from":0}"#],
        &["accept", take, take],
        &["accept", r#"{"type":"take","n":1,"from":11}"#],
        &["accept", r#"{"type":"kept","n":1}"#],
        &["accept", r#"{"type":"got","bytes":1}"#],
        &["accept", r#"{"type":"done"}"#],
        &["accept", "bytes"],
        &["accept", r#"{"type":"skip","n":1}"#, r#"{"type":"skip","n":1}"#],
    ] {
        let mut out = Vec::new();
        let mut sender = Sender::new("x", vec![file("a", 10)], &mut out);
        for word in words {
            match *word {
                "accept" => sender.hear(r#"{"type":"accept"}"#, &mut out),
                "bytes" => sender.hear_bytes(&mut out),
                word => sender.hear(word, &mut out),
            }
        }
        assert_eq!(out.last(), Some(&Step::Over(Err(End::Ours(Reason::Broken)))), "{words:?}");
    }
}

#[test]
fn either_side_can_say_no_and_nothing_follows() {
    let mut out = Vec::new();
    let mut sender = Sender::new("x", vec![file("a", 10)], &mut out);
    sender.hear(r#"{"type":"no","reason":"declined"}"#, &mut out);
    assert_eq!(out.pop(), Some(Step::Over(Err(End::Theirs(Reason::Declined)))));
    sender.hear(r#"{"type":"accept"}"#, &mut out);
    sender.end(Reason::Cancelled, &mut out);
    assert_eq!(out.len(), 1, "only the offer");
    let (mut receiver, mut out) = (Receiver::default(), Vec::new());
    receiver.hear(r#"{"type":"offer","v":1,"name":"x","files":0,"bytes":0}"#, &mut out);
    receiver.end(Reason::Declined, &mut out);
    receiver.hear("{", &mut out);
    receiver.accept(&mut out);
    assert_eq!(out.len(), 3);
}

proptest! {
    #[test]
    fn nothing_that_a_sender_says_makes_a_receiver_panic_or_hold_more_than_the_window(said in said()) {
        let (mut receiver, mut out, mut held, mut waiting) = (Receiver::default(), Vec::new(), 0, 0_usize);
        for word in said {
            match word {
                Said::Text(text) => receiver.hear(&text, &mut out),
                Said::Bytes(count) => receiver.hear_bytes(count, &mut out),
                Said::Go => receiver.accept(&mut out),
                Said::Take(from) => receiver.take(from, Digest::default(), &mut out),
                Said::Kept => receiver.kept(&mut out),
                Said::Written => {
                    receiver.written(held, &mut out);
                    held = 0;
                }
            }
            for task in out.drain(..) {
                match task {
                    Task::Write(count) => held += count,
                    Task::Look(..) => waiting += 1,
                    Task::Say(FromReceiver::Take { .. }) => waiting -= 1,
                    _ => {}
                }
            }
            prop_assert!(held <= WINDOW_BYTES && waiting <= 256);
        }
    }

    #[test]
    fn nothing_that_a_receiver_says_makes_a_sender_panic(said in said()) {
        let mut out = Vec::new();
        let mut sender = Sender::new("x", vec![file("a", 70_000), file("b", 0)], &mut out);
        for word in said {
            match word {
                Said::Text(text) => sender.hear(&text, &mut out),
                Said::Bytes(count) => sender.sent(count as u64, Digest::default(), &mut out),
                Said::Take(from) => sender.opened(from % 70_000, Digest::default(), &mut out),
                Said::Go => sender.hear(r#"{"type":"accept"}"#, &mut out),
                Said::Kept | Said::Written => {}
            }
            out.clear();
        }
    }

    #[test]
    fn any_files_arrive_with_whatever_was_there(sizes in prop::collection::vec((0_usize..300_000, 0_usize..300_000, any::<bool>()), 0..6)) {
        let files: Vec<(String, Vec<u8>)> = sizes.iter().enumerate().map(|(i, (size, ..))| (format!("f{i}"), bytes(*size))).collect();
        let had = sizes.iter().enumerate().filter(|(_, (size, had, _))| had <= size);
        let had = had.map(|(i, (_, had, same))| (format!("f{i}"), if *same { bytes(*had) } else { vec![7; *had] })).collect();
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(path, file)| (path.as_str(), file.clone())).collect();
        let there = cross(&files, had).unwrap();
        prop_assert!(files.iter().all(|(path, file)| there.kept[*path] == *file));
    }
}

#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Bytes(usize),
    Go,
    Take(u64),
    Kept,
    Written,
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let (n, size) = (0_u64..4, prop_oneof![Just(0_u64), Just(65_536), Just(10_000_000), 0..9_007_199_254_740_991_u64]);
    let one = prop_oneof![
        (0_u64..4, size.clone()).prop_map(|(files, bytes)| Said::Text(format!(
            r#"{{"type":"offer","v":1,"name":"x","files":{files},"bytes":{bytes}}}"#
        ))),
        (n.clone(), size.clone())
            .prop_map(|(n, size)| Said::Text(format!(r#"{{"type":"file","n":{n},"path":"a","size":{size}}}"#))),
        (n.clone(), size.clone())
            .prop_map(|(n, from)| Said::Text(format!(r#"{{"type":"bytes","n":{n},"from":{from}}}"#))),
        (n.clone(), size).prop_map(|(n, from)| Said::Text(format!(
            r#"{{"type":"take","n":{n},"from":{from},"hash":"{}"}}"#,
            Digest::default()
        ))),
        n.prop_flat_map(|n| prop_oneof![
            Just(format!(r#"{{"type":"end","n":{n},"hash":"{}"}}"#, Digest::default())),
            Just(format!(r#"{{"type":"folder","n":{n},"path":"a"}}"#)),
            Just(format!(r#"{{"type":"kept","n":{n}}}"#)),
            Just(format!(r#"{{"type":"skip","n":{n}}}"#)),
        ])
        .prop_map(Said::Text),
        ".{0,20}".prop_map(Said::Text),
        prop_oneof![Just(65_536_usize), 0_usize..70_000].prop_map(Said::Bytes),
        Just(Said::Go),
        (0_u64..200_000).prop_map(Said::Take),
        Just(Said::Kept),
        Just(Said::Written),
    ];
    // Most begin as a transfer does, so that the rest of it is reached.
    let begun = |size: u64| {
        vec![
            Said::Text(format!(r#"{{"type":"offer","v":1,"name":"x","files":2,"bytes":{size}}}"#)),
            Said::Go,
            Said::Text(format!(r#"{{"type":"file","n":1,"path":"a","size":{size}}}"#)),
            Said::Take(0),
            Said::Text(r#"{"type":"bytes","n":1,"from":0}"#.into()),
        ]
    };
    let begin = prop_oneof![Just(Vec::new()), Just(begun(10_000_000)), Just(begun(65_536))];
    (begin, prop::collection::vec(one, 0..120)).prop_map(|(mut begin, rest)| {
        begin.extend(rest);
        begin
    })
}

/// Sends these files to somebody who has those.
fn cross(files: &[(&str, Vec<u8>)], had: BTreeMap<String, Vec<u8>>) -> Result<Disk, End> {
    let mut pair = Pair::new(files, had);
    pair.run()?;
    Ok(pair.disk)
}

#[derive(Default)]
struct Disk {
    had: BTreeMap<String, Vec<u8>>,
    announced: BTreeMap<u64, String>,
    open: Option<(u64, Vec<u8>)>,
    kept: BTreeMap<String, Vec<u8>>,
    folders: Vec<String>,
    crossed: usize,
}

enum Way {
    Text(String),
    Bytes(Vec<u8>),
}

struct Pair {
    files: Vec<Vec<u8>>,
    sender: Sender,
    receiver: Receiver,
    steps: Vec<Step>,
    there: VecDeque<Way>,
    back: VecDeque<String>,
    reading: (usize, Chain),
    disk: Disk,
    damage: bool,
}

impl Pair {
    fn new(files: &[(&str, Vec<u8>)], had: BTreeMap<String, Vec<u8>>) -> Self {
        let mut steps = Vec::new();
        let mut entries = vec![Entry { path: FilePath::new("empty").unwrap(), kind: Kind::Folder }];
        entries.extend(files.iter().map(|(path, content)| file(path, content.len() as u64)));
        let sender = Sender::new("x", entries, &mut steps);
        let files = std::iter::once(Vec::new()).chain(files.iter().map(|(_, content)| content.clone())).collect();
        Self {
            files,
            sender,
            receiver: Receiver::default(),
            steps,
            there: VecDeque::new(),
            back: VecDeque::new(),
            reading: (0, Chain::default()),
            disk: Disk { had, ..Disk::default() },
            damage: false,
        }
    }

    /// What becomes of it at the receiver, or at the sender where it ends there first.
    fn run(&mut self) -> Result<(), End> {
        loop {
            for step in std::mem::take(&mut self.steps) {
                match step {
                    Step::Say(said) => self.there.push_back(Way::Text(said.write())),
                    Step::Open { entry, from, hash } => self.open(entry, from, hash),
                    Step::Piece(count) => self.piece(count),
                    Step::Over(how) => return how,
                }
            }
            if !self.steps.is_empty() {
                continue;
            }
            let mut tasks = Vec::new();
            match self.there.pop_front() {
                Some(Way::Text(text)) => self.receiver.hear(&text, &mut tasks),
                Some(Way::Bytes(bytes)) => {
                    self.receiver.hear_bytes(bytes.len(), &mut tasks);
                    self.disk.crossed += bytes.len();
                    if let Some((_, file)) = &mut self.disk.open {
                        file.extend(bytes);
                    }
                }
                None => match self.back.pop_front() {
                    Some(text) => self.sender.hear(&text, &mut self.steps),
                    None => panic!("both wait for each other"),
                },
            }
            self.carry_out(tasks)?;
        }
    }

    fn open(&mut self, entry: usize, from: u64, hash: Option<Digest>) {
        let mut chain = chain(&self.files[entry][..usize::try_from(from).unwrap()]);
        if from != 0 && Some(chain.digest()) != hash {
            chain = Chain::default();
        }
        self.reading = (entry, chain);
        self.sender.opened(chain.bytes(), chain.digest(), &mut self.steps);
    }

    fn piece(&mut self, count: u64) {
        let (entry, chain) = &mut self.reading;
        let from = usize::try_from(chain.bytes()).unwrap();
        let mut piece = self.files[*entry][from..from + usize::try_from(count).unwrap()].to_vec();
        chain.add(&piece);
        if self.damage {
            piece[0] ^= 1;
        }
        self.there.push_back(Way::Bytes(piece));
        self.sender.sent(count, chain.digest(), &mut self.steps);
    }

    fn carry_out(&mut self, mut tasks: Vec<Task>) -> Result<(), End> {
        while !tasks.is_empty() {
            let mut more = Vec::new();
            for task in tasks {
                match task {
                    Task::Say(said) => self.back.push_back(said.write()),
                    Task::Ask(_) => self.receiver.accept(&mut more),
                    Task::Folder(path) => self.disk.folders.push(path.to_string()),
                    Task::Look(n, entry) => {
                        let had = self.disk.had.get(entry.path.as_str()).cloned().unwrap_or_default();
                        let whole =
                            if had.len() as u64 == entry.size() { had.len() } else { had.len() / 65_536 * 65_536 };
                        self.disk.announced.insert(n, entry.path.to_string());
                        self.receiver.take(whole as u64, chain(&had[..whole]).digest(), &mut more);
                    }
                    Task::Begin { n, from } => {
                        let had = self.disk.had.get(&self.disk.announced[&n]).cloned().unwrap_or_default();
                        self.disk.open = Some((n, had[..usize::try_from(from).unwrap()].to_vec()));
                    }
                    Task::Write(count) => self.receiver.written(count, &mut more),
                    Task::Finish { n, hash } => {
                        let (open, file) = self.disk.open.take().unwrap();
                        assert_eq!(open, n);
                        if chain(&file).digest() == hash {
                            self.disk.kept.insert(self.disk.announced[&n].clone(), file);
                            self.receiver.kept(&mut more);
                        } else {
                            self.receiver.end(Reason::Broken, &mut more);
                        }
                    }
                    Task::Over(Ok(())) => {}
                    Task::Over(how) => return how,
                }
            }
            tasks = more;
        }
        Ok(())
    }
}

fn chain(bytes: &[u8]) -> Chain {
    let mut chain = Chain::default();
    bytes.chunks(65_536).for_each(|piece| chain.add(piece));
    chain
}

fn file(path: &str, size: u64) -> Entry {
    Entry { path: FilePath::new(path).unwrap(), kind: Kind::File { size, modified: None, executable: false } }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
}

#[test]
fn every_word_of_a_sender_is_read_by_its_own_rules() {
    let mut out = Vec::new();
    let mut name = "x".repeat(300);
    name.insert(3, '\u{7}');
    Sender::new(&name, Vec::new(), &mut out);
    let Some(Step::Say(offer @ FromSender::Offer(_))) = out.first() else { panic!("an offer") };
    assert_eq!(FromSender::read(&offer.write()), Ok(Some(offer.clone())), "what is too long for the page is cut");
}
