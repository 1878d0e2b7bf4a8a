//! Files between peers: lines of what the other side says, to a sender and to a receiver. Neither panics, holds more than the window, or lets a path through that
//! leads elsewhere; after the end nothing follows.

use wigwag_files::{
    ANNOUNCED_MAX, Digest, Entry, FilePath, Kind, Receiver, Sender, Step, Task, WINDOW_BYTES, WordCode,
};

/// Each line is a message; one that begins with a digit stands for so many bytes.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    receives(text);
    sends(text);
    if let Ok(code) = WordCode::read(text) {
        assert_eq!(WordCode::read(code.as_str()), Ok(code), "not the same again");
    }
}

fn receives(text: &str) {
    let (mut receiver, mut tasks) = (Receiver::default(), Vec::new());
    let (mut held, mut unseen, mut is_over) = (0, 0, false);
    for line in text.lines() {
        match line.parse::<usize>() {
            Ok(bytes) => receiver.hear_bytes(bytes, &mut tasks),
            Err(_) => receiver.hear(line, &mut tasks),
        }
        assert!(!is_over || tasks.is_empty(), "it is over");
        for task in std::mem::take(&mut tasks) {
            match task {
                Task::Ask(_) => receiver.accept(&mut tasks),
                Task::Folder(path) => harmless(&path),
                Task::Look(n, entry) => {
                    harmless(&entry.path);
                    unseen += 1;
                    // Some are looked at late.
                    if n % 3 != 0 {
                        receiver.take(entry.size() / 2, Digest::default(), &mut tasks);
                        unseen -= 1;
                    }
                }
                Task::Write(bytes) => held += bytes,
                Task::Finish { .. } => {
                    receiver.written(held, &mut tasks);
                    held = 0;
                    receiver.kept(&mut tasks);
                }
                Task::Over(_) => is_over = true,
                Task::Say(_) | Task::Begin { .. } => {}
            }
        }
        tasks.clear();
        assert!(held <= WINDOW_BYTES && unseen <= ANNOUNCED_MAX, "more than fits");
    }
}

fn sends(text: &str) {
    let file = |path: &str, size| Entry {
        path: FilePath::new(path).unwrap(),
        kind: Kind::File { size, modified: None, executable: false },
    };
    let mut steps = Vec::new();
    let mut sender = Sender::new("x", vec![file("a", 200_000), file("b", 0)], &mut steps);
    let mut sent = 0;
    for line in text.lines() {
        sender.hear(line, &mut steps);
        let mut todo = std::mem::take(&mut steps);
        while let Some(step) = todo.pop() {
            match step {
                Step::Open { from, .. } => sender.opened(from, Digest::default(), &mut todo),
                Step::Piece(bytes) => {
                    sent += bytes;
                    sender.sent(bytes, Digest::default(), &mut todo);
                }
                Step::Say(_) | Step::Over(_) => {}
            }
        }
        assert!(sent <= 200_000 && sender.settled_files() <= 2, "more than there is");
    }
}

fn harmless(path: &FilePath) {
    assert!(
        path.parts().all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', '\0']))
    );
}
