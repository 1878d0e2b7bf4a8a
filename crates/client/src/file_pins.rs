//! The keys of names in a file: what was believed once is held to in the next run, too.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;
use tracing::warn;
use wigwag_peer::trust::Pins;
use wigwag_wire::{PeerId, PublicKey};

/// What stands at the head of the file, for whoever opens it.
const HEAD: &str = "# Whose key is whose: namespace, name and key, with tabs between them. Where a name has a new key for a good reason, take its line out.\n";

type Keys = BTreeMap<(String, PeerId), PublicKey>;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinsError {
    /// It cannot be read or written.
    #[error("the file of known keys cannot be used: {}: {why}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A line of it says nothing that can be understood. Leaving it out would let anybody take a name.
    #[error("line {line} of {} is no known key: mend it or take it out", path.display())]
    BadLine {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// Pins that a file keeps, for all programs that use it at a time: each change is written at once, whole or not at all, while the others
/// wait. A name's first key costs a write to the disk; everything else is in memory.
#[derive(Debug)]
pub struct FilePins {
    path: PathBuf,
    known: Mutex<Known>,
}

/// What the file said last.
#[derive(Debug, Default)]
struct Known {
    keys: Keys,
    stamp: Option<Stamp>,
}

/// By what a change of the file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(u64, Option<SystemTime>);

impl FilePins {
    /// Reads the file. Where there is none, nothing is known yet, and the first key that is seen makes it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, PinsError> {
        let path = path.into();
        let known = Mutex::new(Known::load(&path)?);
        Ok(Self { path, known })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many names have a key here.
    pub fn count(&self) -> usize {
        self.known.lock().keys.len()
    }

    /// Changes what the file says, while no other program does.
    fn change(&self, change: impl FnOnce(&mut Keys) -> PublicKey) -> Result<PublicKey, PinsError> {
        // Held until it is dropped; others wait for it.
        let _lock = self.lock()?;
        let mut known = Known::load(&self.path)?;
        let key = change(&mut known.keys);
        self.store(&known.keys)?;
        known.stamp = Stamp::of(&self.path);
        *self.known.lock() = known;
        Ok(key)
    }

    fn lock(&self) -> Result<File, PinsError> {
        let path = beside(&self.path, "lock");
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let file = folder.and_then(|()| OpenOptions::new().create(true).truncate(false).write(true).open(&path));
        file.and_then(|file| file.lock().map(|()| file)).map_err(|why| PinsError::Io { path, why })
    }

    /// In the place of the file that was there: whoever reads meanwhile sees the old one or the new one.
    fn store(&self, keys: &Keys) -> Result<(), PinsError> {
        let mut text = HEAD.to_owned();
        for ((namespace, name), key) in keys {
            text.extend([namespace, "\t", name.as_str(), "\t", &key.to_string(), "\n"]);
        }
        let path = beside(&self.path, "new");
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        let stored = written.and_then(|()| fs::rename(&path, &self.path));
        stored.map_err(|why| PinsError::Io { path: self.path.clone(), why })
    }

    /// The same where nothing can be written: for as long as this program runs.
    fn keep(&self, why: &PinsError, change: impl FnOnce(&mut Keys) -> PublicKey) -> PublicKey {
        warn!(%why, "a key is kept for as long as this program runs only");
        change(&mut self.known.lock().keys)
    }
}

impl Pins for FilePins {
    fn read(&self, namespace: &str, name: &PeerId) -> Option<PublicKey> {
        let mut known = self.known.lock();
        // Another program may have met it since.
        if Stamp::of(&self.path) != known.stamp {
            match Known::load(&self.path) {
                Ok(now) => *known = now,
                Err(why) => warn!(%why, "known keys are those from before"),
            }
        }
        known.keys.get(&place(namespace, name)).copied()
    }

    fn pin(&mut self, namespace: &str, name: &PeerId, key: PublicKey) {
        let change = |keys: &mut Keys| {
            keys.insert(place(namespace, name), key);
            key
        };
        if let Err(why) = self.change(change) {
            self.keep(&why, change);
        }
    }

    fn meet(&mut self, namespace: &str, name: &PeerId, key: PublicKey) -> PublicKey {
        let change = |keys: &mut Keys| *keys.entry(place(namespace, name)).or_insert(key);
        self.change(change).unwrap_or_else(|why| self.keep(&why, change))
    }
}

impl Known {
    fn load(path: &Path) -> Result<Self, PinsError> {
        let stamp = Stamp::of(path);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
            Err(why) => return Err(PinsError::Io { path: path.to_owned(), why }),
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines
            .map(|(at, line)| read(line).ok_or_else(|| PinsError::BadLine { path: path.to_owned(), line: at + 1 }));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, stamp })
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let known = fs::metadata(path).ok()?;
        Some(Self(known.len(), known.modified().ok()))
    }
}

fn place(namespace: &str, name: &PeerId) -> (String, PeerId) {
    (namespace.to_owned(), name.clone())
}

/// A line of the file.
fn read(line: &str) -> Option<((String, PeerId), PublicKey)> {
    let mut words = line.split('\t');
    let (namespace, name, key) = (words.next()?, words.next()?, words.next()?);
    let key = PublicKey::parse(key.trim_end()).ok().filter(|_| words.next().is_none())?;
    Some((place(namespace, &PeerId::new(name).ok()?), key))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.extend([".", suffix].map(AsRef::<std::ffi::OsStr>::as_ref));
    name.into()
}
