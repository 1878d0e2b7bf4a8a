//! Files between two processes of their own over the running server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;
use wigwag::files::{Files, Into, Reason, TransferError};
use wigwag::{Channel, Connection, Loopback, Message, Room, Wigwag};

use crate::support::{Server, Wigwag as Serve, soon, until};
use crate::tool::{Running, tool_in};

#[tokio::test]
async fn a_folder_arrives_by_a_code_of_words_whole_and_as_it_was() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let deep = sides.here("album/deep/er");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(sides.here("album/nothing")).unwrap();
    fs::write(sides.here("album/empty"), "").unwrap();
    fs::write(deep.join("film ☕"), bytes(3_000_000)).unwrap();
    for i in 0..300 {
        fs::write(sides.here(&format!("album/{i}.txt")), format!("page {i}")).unwrap();
    }
    let script = sides.here("album/run.sh");
    fs::write(&script, "true").unwrap();
    #[cfg(unix)]
    {
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", sides.here("album/link")).unwrap();
    }
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&script).unwrap().set_modified(then).unwrap();
    let mut sending = sides.send(&server, &["album"]);
    let code = code(&mut sending).await;
    let received = sides.receive(&server, &[&code]).run("").await;
    assert_eq!((received.code, sending.run("").await.code), (0, 0), "{}", received.err);
    let expected: BTreeMap<_, _> =
        tree(&sides.here("album")).into_iter().filter(|(path, _)| path != Path::new("link")).collect();
    assert_eq!(
        tree(&sides.there("album")).into_keys().collect::<Vec<_>>(),
        expected.keys().cloned().collect::<Vec<_>>()
    );
    assert!(tree(&sides.there("album")) == expected);
    let arrived = fs::metadata(sides.there("album/run.sh")).unwrap();
    assert_eq!(arrived.modified().unwrap(), then);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&arrived.permissions()) & 0o100, 0o100);
}

#[tokio::test]
async fn what_was_cut_by_the_death_of_either_side_goes_on_where_it_was() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let size = 48_000_000_u64;
    fs::write(sides.here("film"), bytes(size)).unwrap();
    let mut sending = sides.send(&server, &["film", "--json"]);
    let code = code_in_json(&mut sending).await;
    let part = sides.there("film.wigwag-part");
    let has = async |least: u64| {
        until("a part of it", async || fs::metadata(&part).is_ok_and(|part| part.len() >= least)).await;
    };
    // The receiver dies, and a new one goes on with the sender that is still there.
    let mut receiving = sides.receive(&server, &[&code]);
    has(2_000_000).await;
    receiving.kill();
    let receiving = sides.receive(&server, &[&code]);
    let before = fs::metadata(&part).unwrap().len();
    has(before + 2_000_000).await;
    // Then the sender dies, and is begun again with the same code.
    sending.kill();
    let before = fs::metadata(&part).unwrap().len();
    let sending = sides.send(&server, &["film", "--code", &code, "--json"]);
    let (sent, received) = soon("the end", async { tokio::join!(sending.run(""), receiving.run("")) }).await;
    assert_eq!((sent.code, received.code), (0, 0), "{}{}", sent.err, received.err);
    assert!(fs::read(sides.there("film")).unwrap() == bytes(size));
    let done = sent.json("done");
    let crossed = done["crossed"].as_u64().unwrap();
    assert!(crossed <= size - before / 65_536 * 65_536, "{crossed} crossed, though {before} were there");
    assert!(!part.exists());
}

#[tokio::test]
async fn no_other_file_is_overwritten_and_the_same_does_not_come_twice() {
    let (server, sides) = (quiet().start().await, Sides::new());
    fs::write(sides.here("notes.txt"), "new").unwrap();
    fs::write(sides.there("notes.txt"), "old, and longer").unwrap();
    assert_eq!(sides.cross(&server, &[], &[]).await["renamed"], 1);
    assert_eq!(fs::read_to_string(sides.there("notes.txt")).unwrap(), "old, and longer");
    assert_eq!(fs::read_to_string(sides.there("notes (1).txt")).unwrap(), "new");
    let again = sides.cross(&server, &[], &[]).await;
    assert_eq!((&again["already"], &again["crossed"]), (&json!(1), &json!(0)));
    sides.cross(&server, &[], &["--overwrite"]).await;
    assert_eq!(fs::read_to_string(sides.there("notes.txt")).unwrap(), "new");
    assert_eq!(fs::read_dir(sides.there("")).unwrap().count(), 2);
}

#[tokio::test]
async fn a_code_that_is_mistyped_is_told_at_once_and_a_wrong_one_meets_nobody() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let mistyped = sides.receive(&server, &["abilitty absence academy zebra"]).run("").await;
    assert_eq!(mistyped.code, 2);
    assert!(mistyped.err.contains("did you mean ability?"), "{}", mistyped.err);
    let few = sides.receive(&server, &["ability-absence-academy"]).run("").await;
    assert_eq!(few.code, 2);
    fs::write(sides.here("a"), "a").unwrap();
    let missing = sides.send(&server, &["a", "no.such"]).run("").await;
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("there is no file no.such"), "{}", missing.err);
    let mut sending = sides.send(&server, &["a", "--code", "ability ability ability ability"]);
    assert_eq!(code(&mut sending).await, "ability-ability-ability-ability");
    let mut other = sides.receive(&server, &["ability-ability-ability-absence"]);
    assert_eq!(other.said().await, "Waiting for the other side. Ctrl-C ends it.");
    let received = sides.receive(&server, &["ability-ability-ability-ability"]).run("").await;
    assert_eq!((received.code, sending.run("").await.code), (0, 0));
    assert!(other.is_running());
}

#[tokio::test]
async fn a_peer_gets_files_by_its_id_and_standard_input_under_a_name() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let nobody_asks = sides.receive(&server, &[]).run("").await;
    assert_eq!(nobody_asks.code, 2, "{}", nobody_asks.err);
    let mut receiving = sides.receive(&server, &["--yes"]);
    let id = receiving.said().await.replace("I am ", "");
    let sent = sides.send(&server, &["-", "--file-name", "in.txt", "--to", &id]).run("from the pipe").await;
    assert_eq!((sent.code, receiving.run("").await.code), (0, 0), "{}", sent.err);
    assert_eq!(fs::read_to_string(sides.there("in.txt")).unwrap(), "from the pipe");
    let absent = sides.send(&server, &["-", "nobody@example.org"]).run("x").await;
    assert_eq!(absent.code, 3, "{}", absent.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_room_are_asked_and_may_decline() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let (bob, cy) = (open(&server).await, open(&server).await);
    fs::write(sides.here("a"), "for all").unwrap();
    let (room, other) = (bob.join("den").await.unwrap(), cy.join("den").await.unwrap());
    until("cy", async || room.view().members().len() == 1).await;
    let sending = sides.send(&server, &["a", "den"]);
    let known = [bob.id(), cy.id()];
    let takes = async |client: &Wigwag, room: &Room, takes: bool| {
        let mut incoming = client.incoming().await;
        let sender = || room.view().members().into_iter().find(|member| !known.contains(&member.id));
        until("the sender", async || sender().is_some()).await;
        let sender = sender().unwrap();
        let connection = match sender.polite {
            true => incoming.connection().await.unwrap(),
            false => client.connect_to(&sender).await.unwrap(),
        };
        let offered = connection.incoming_files().await.unwrap();
        assert_eq!((offered.name(), offered.files(), offered.bytes()), ("a", 1, 7));
        if takes {
            let into = Into { folder: sides.there(""), overwrite: false };
            assert_eq!(offered.accept(into).finished().await.unwrap().files, 1);
        } else {
            offered.decline().await;
        }
        connection
    };
    let (_, _, sent) =
        soon("all", async { tokio::join!(takes(&bob, &room, true), takes(&cy, &other, false), sending.run("")) }).await;
    assert_eq!(sent.code, 0, "{}{}", sent.out, sent.err);
    assert_eq!(fs::read_to_string(sides.there("a")).unwrap(), "for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_says_so_by_the_exit_code_of_the_sender() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let bob = open(&server).await;
    fs::write(sides.here("a"), "no").unwrap();
    let mut incoming = bob.incoming().await;
    let sending = sides.send(&server, &["a", "--to", &bob.id()]);
    let declines = async {
        let connection = incoming.connection().await.unwrap();
        drop(connection.incoming_files().await.unwrap());
        connection
    };
    let (_, sent) = soon("both", async { tokio::join!(declines, sending.run("")) }).await;
    assert_eq!(sent.code, 4, "{}", sent.err);
    assert!(sent.err.contains("does not want it"), "{}", sent.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_sender_writes_nothing_outside() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let (ann, bob) = (open(&server).await, open(&server).await);
    let (ours, theirs) = connected(&ann, &bob).await;
    #[cfg(unix)]
    std::os::unix::fs::symlink(sides.here(""), sides.there("link")).unwrap();
    let file = |path: &str| json!({"type": "file", "n": 1, "path": path, "size": 1});
    for (path, reason) in [
        ("../a", "bad_path"),
        ("/tmp/a", "bad_path"),
        ("a/../../b", "bad_path"),
        ("a\\..\\b", "bad_path"),
        #[cfg(unix)]
        ("link/a", "disk"),
    ] {
        let channel = ours.channel("wigwag.files").await.unwrap();
        say(&channel, &json!({"type": "offer", "v": 1, "name": "x", "files": 1, "bytes": 1})).await;
        let offered = soon("an offer", theirs.incoming_files()).await.unwrap();
        let mut transfer = offered.accept(Into { folder: sides.there(""), overwrite: true });
        assert_eq!(hear(&channel).await["type"], "accept");
        say(&channel, &file(path)).await;
        assert_eq!(hear(&channel).await, json!({"type": "no", "reason": reason}), "{path}");
        let ended = soon("the end", transfer.finished()).await.unwrap_err();
        assert!(matches!(ended, TransferError::Ours(Reason::BadPath | Reason::Disk, _)), "{ended:?}");
    }
    assert_eq!(fs::read_dir(sides.here("")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_sent_is_not_taken_for_whole() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let (ann, bob) = (open(&server).await, open(&server).await);
    fs::write(sides.here("a"), bytes(1_000_000)).unwrap();
    let files = Files::gather(vec![sides.here("a")]).await.unwrap().into();
    fs::write(sides.here("a"), bytes(999_999)).unwrap();
    let (ours, theirs) = connected(&ann, &bob).await;
    let mut sending = ours.send_files(&files).await.unwrap();
    let offered = soon("an offer", theirs.incoming_files()).await.unwrap();
    let mut taking = offered.accept(Into { folder: sides.there(""), overwrite: false });
    let (sent, taken) = soon("both", async { tokio::join!(sending.finished(), taking.finished()) }).await;
    assert!(matches!(sent.unwrap_err(), TransferError::Ours(Reason::Changed, _)));
    assert_eq!(taken.unwrap_err(), TransferError::Theirs(Reason::Changed));
    assert!(!sides.there("a").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn whoever_ends_it_says_so_and_keeps_what_has_come() {
    let (server, sides) = (quiet().start().await, Sides::new());
    fs::write(sides.here("film"), bytes(64 << 20)).unwrap();
    let mut sending = sides.send(&server, &["film"]);
    let code = code(&mut sending).await;
    let mut receiving = sides.receive(&server, &[&code]);
    let part = sides.there("film.wigwag-part");
    until("a part of it", async || fs::metadata(&part).is_ok_and(|part| part.len() > 1_000_000)).await;
    receiving.interrupt();
    let (received, sent) = soon("both", async { tokio::join!(receiving.run(""), sending.run("")) }).await;
    assert_eq!((received.code, sent.code), (130, 4), "{}{}", received.err, sent.err);
    assert!(sent.err.contains("cancelled it"), "{}", sent.err);
    assert!(fs::metadata(&part).unwrap().len() > 1_000_000 && !sides.there("film").exists());
}

/// Memory is that of a transfer, whatever the size.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_file_needs_no_more_memory_than_a_small_one() {
    let (server, sides) = (quiet().start().await, Sides::new());
    let mut peaks = Vec::new();
    for size in [8 << 20, 64 << 20] {
        fs::write(sides.here("notes.txt"), bytes(size)).unwrap();
        let mut sending = sides.send(&server, &["notes.txt"]);
        let code = code(&mut sending).await;
        let mut receiving = sides.receive(&server, &[&code, "--overwrite"]);
        let mut peak = [0, 0];
        until("the end", async || {
            for (peak, process) in peak.iter_mut().zip([&mut sending, &mut receiving]) {
                *peak = (*peak).max(process.peak_memory().unwrap_or_default());
            }
            !sending.is_running() && !receiving.is_running()
        })
        .await;
        assert!(fs::read(sides.there("notes.txt")).unwrap() == bytes(size));
        peaks.push(peak);
    }
    for side in [0, 1] {
        let (small, large) = (peaks[0][side], peaks[1][side]);
        assert!(large < small + (24 << 20), "{small} bytes for 8 MiB and {large} for 64 MiB");
    }
}

/// Two people's folders and identities.
struct Sides {
    here: TempDir,
    there: TempDir,
    homes: [TempDir; 2],
}

impl Sides {
    fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { here: folder(), there: folder(), homes: [folder(), folder()] }
    }

    fn here(&self, path: &str) -> PathBuf {
        self.here.path().join(path)
    }

    fn there(&self, path: &str) -> PathBuf {
        self.there.path().join(path)
    }

    fn send(&self, server: &Server, args: &[&str]) -> Running {
        tool_in(server, self.homes[0].path(), self.here.path(), "send", args)
    }

    fn receive(&self, server: &Server, args: &[&str]) -> Running {
        tool_in(server, self.homes[1].path(), self.there.path(), "receive", args)
    }

    /// Sends `notes.txt` by a code, and says what the receiver says of it.
    async fn cross(&self, server: &Server, send: &[&str], receive: &[&str]) -> Value {
        let mut sending = self.send(server, &[&["notes.txt"], send].concat());
        let code = code(&mut sending).await;
        let received = self.receive(server, &[&[code.as_str(), "--json"], receive].concat()).run("").await;
        assert_eq!((received.code, sending.run("").await.code), (0, 0), "{}", received.err);
        received.json("done")
    }
}

async fn code(sending: &mut Running) -> String {
    loop {
        if let Some(code) = sending.said().await.trim().strip_prefix("wigwag receive ") {
            return code.rsplit(' ').next().unwrap().to_owned();
        }
    }
}

async fn code_in_json(sending: &mut Running) -> String {
    loop {
        let line: Value = serde_json::from_str(&sending.said().await).unwrap();
        if line["type"] == "code" {
            return line["code"].as_str().unwrap().to_owned();
        }
    }
}

async fn say(channel: &Channel, message: &Value) {
    channel.send(Message::json(message).unwrap()).await.unwrap();
}

async fn hear(channel: &Channel) -> Value {
    soon("an answer", channel.recv()).await.unwrap().parse().unwrap()
}

async fn connected(one: &Wigwag, other: &Wigwag) -> (Connection, Connection) {
    let mut incoming = other.incoming().await;
    let (theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), one.connect(&other.id())) }).await;
    (ours.unwrap(), theirs.unwrap())
}

async fn open(server: &Server) -> Wigwag {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only).open().await.unwrap()
}

fn quiet() -> Serve {
    Serve::new().set("ice.stun", "")
}

/// What a file of this size holds.
fn bytes(size: u64) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// All that is in a folder: files with their bytes, folders without.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let is_folder = fs::symlink_metadata(&path).unwrap().is_dir();
            let content = (!is_folder).then(|| fs::read(&path).unwrap());
            if is_folder {
                waiting.push(path.clone());
            }
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), content);
        }
    }
    found
}
