//! The transcripts of the dialects, built in.

use crate::transcript::Transcript;

/// A foreign protocol whose promises are written down.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// What it is called on the command line, in the configuration and as a folder of `spec/vectors/transcripts`.
    pub name: &'static str,
    /// Who speaks it.
    pub about: &'static str,
    /// The base URL as a user of its first server has it.
    pub example: &'static str,
    /// The path below which it begins where a URL names none.
    pub path: &'static str,
    /// The same on a Wigwag server. `{network}` is a value of its own for each transcript.
    pub own_path: &'static str,
}

/// All of them.
pub const DIALECTS: [Dialect; 9] = [
    Dialect {
        name: "volli",
        about: "Volli: call a user by id",
        example: "ws://localhost:8080",
        path: "/",
        own_path: "/volli",
    },
    Dialect {
        name: "manamesh",
        about: "ManaMesh: rooms",
        example: "ws://localhost:4000/signaling",
        path: "/signaling",
        own_path: "/signaling",
    },
    Dialect {
        name: "watchparty",
        about: "watch-party rooms with a host",
        example: "ws://localhost:8787",
        path: "/",
        own_path: "/",
    },
    Dialect {
        name: "tom",
        about: "ToM: a network of nodes",
        example: "ws://localhost:3001",
        path: "/",
        own_path: "/tom/{network}",
    },
    Dialect { name: "peerjs", about: "PeerJS", example: "ws://localhost:9000/", path: "/", own_path: "/" },
    Dialect { name: "yjs", about: "y-webrtc", example: "ws://localhost:4444", path: "/", own_path: "/yjs" },
    Dialect { name: "matchbox", about: "matchbox", example: "ws://localhost:3536", path: "/", own_path: "/matchbox" },
    Dialect {
        name: "tracker",
        about: "WebTorrent tracker; also Trystero's torrent strategy and P2PT",
        example: "wss://tracker.example.org",
        path: "/",
        own_path: "/tracker",
    },
    Dialect {
        name: "trystero",
        about: "Trystero's ws-relay",
        example: "ws://localhost:8080",
        path: "/",
        own_path: "/relay",
    },
];

/// A transcript of a dialect.
#[derive(Clone, Debug)]
pub struct Script {
    /// The name of its file.
    pub name: &'static str,
    /// What happens in it.
    pub transcript: Transcript,
}

/// The transcripts of a dialect, by name; last those that only our server promises, which others may not survive.
pub fn scripts(dialect: &str) -> Vec<Script> {
    let own = FILES.iter().filter(|(folder, _, _)| *folder == dialect);
    // What is built in was read by a test; a file that cannot be read would be missing there.
    let scripts = own.filter_map(|(_, name, text)| Some(Script { name, transcript: serde_json::from_str(text).ok()? }));
    let mut scripts: Vec<Script> = scripts.collect();
    scripts.sort_by_key(|script| script.transcript.ours);
    scripts
}

impl Dialect {
    /// The dialect that is called so.
    pub fn named(name: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }
}

// Folder, name and text of each file.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::transcript::Act;

    #[test]
    fn every_file_is_built_in_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/transcripts");
        let mut there = BTreeSet::new();
        for dialect in DIALECTS {
            for file in fs::read_dir(folder.join(dialect.name)).unwrap() {
                let file = file.unwrap().path();
                let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&file).unwrap();
                serde_json::from_str::<Transcript>(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
                assert!(FILES.contains(&(dialect.name, name.as_str(), text.as_str())), "{name} is not built in");
                there.insert((dialect.name, name));
            }
            assert_eq!(scripts(dialect.name).len(), there.iter().filter(|(of, _)| *of == dialect.name).count());
        }
        assert_eq!(there.len(), FILES.len(), "no dialect has the other files");
    }

    #[test]
    fn every_transcript_reads_as_a_promise_of_its_dialect() {
        let mut promises = BTreeSet::new();
        for_each(|dialect, name, transcript| {
            assert_eq!(transcript.dialect.as_deref(), Some(dialect.name), "{name}");
            let about = transcript.about.as_str();
            assert!(about.ends_with('.') && about.starts_with(|c: char| c.is_uppercase()), "{name}: {about}");
            assert!(promises.insert((dialect.name, about.to_owned())), "{name} promises what another does");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        });
    }

    #[test]
    fn what_waits_for_long_says_so() {
        for_each(|dialect, name, transcript| {
            assert_eq!(transcript.waits_ms() > 1_000, transcript.slow, "{}/{name}", dialect.name);
        });
    }

    #[test]
    fn every_name_in_braces_stands_for_something() {
        for_each(|dialect, name, transcript| {
            let mut known: BTreeSet<String> = transcript.fresh.keys().cloned().collect();
            for step in &transcript.steps {
                for (at, _) in step.shown.match_indices("{") {
                    let rest = &step.shown[at + 1..];
                    let Some((inner, _)) = rest.split_once('}') else { continue };
                    let is_name = !inner.is_empty()
                        && inner.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                    assert!(
                        !is_name || known.contains(inner),
                        "{}/{name}: {{{inner}}} in {}",
                        dialect.name,
                        step.shown
                    );
                }
                known.extend(step.shown.split('"').filter_map(bound));
            }
        });
    }

    #[test]
    fn no_value_is_shared_by_two_runs() {
        // Ids, rooms and topics are fresh; what would be fixed is seen in the frames that a registry or a room is made of.
        for_each(|dialect, name, transcript| {
            let talks = transcript.steps.iter().any(|step| matches!(step.act, Act::From { .. }));
            let silent = ["matchbox", "tom", "peerjs"].contains(&dialect.name);
            assert!(!talks || silent || !transcript.fresh.is_empty(), "{}/{name} has nothing fresh", dialect.name);
        });
    }

    fn bound(text: &str) -> Option<String> {
        let name = text.strip_prefix('$')?;
        Some(name.split(':').next().unwrap_or(name).to_owned())
    }

    fn for_each(mut check: impl FnMut(&Dialect, &str, &Transcript)) {
        for dialect in &DIALECTS {
            for script in scripts(dialect.name) {
                check(dialect, script.name, &script.transcript);
            }
        }
    }
}
