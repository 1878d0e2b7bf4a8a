//! The receiver's disk: what is there of a file, what comes is written beside its place, and what is whole is put there. Blocks; runs on a thread of its own.
//!
//! Nothing is written outside of the folder, no link on the way is followed, and no other file is overwritten unless the program asked for it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use wigwag_files::{
    Chain, Digest, Entry, FilePath, Kind, PIECE_BYTES, Reason, local_name, numbered, part_name, piece_bytes,
};

/// So many other files of the same name are looked at.
const NUMBERS: u32 = 1_000;

/// Where files go, and what is done about those that are there.
#[derive(Clone, Debug)]
pub struct Into {
    /// The folder; it is made where there is none.
    pub folder: PathBuf,
    /// Whether a file of the same name gives way. Else the new one gets a number.
    pub overwrite: bool,
}

/// Why something could not be kept.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// What became of a file.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) place: PathBuf,
    /// Whether it was there before.
    pub(super) already: bool,
    /// Whether it is called otherwise than at the sender's.
    pub(super) renamed: bool,
}

pub(super) struct Disk {
    into: Into,
    looked: VecDeque<Looked>,
    open: Option<Open>,
    /// Parts that belong to what was looked at.
    claimed: BTreeSet<PathBuf>,
    /// What this transfer has put in its place, in lower case.
    placed: BTreeSet<String>,
}

/// A file that was looked at and has not begun.
struct Looked {
    folder: PathBuf,
    path: FilePath,
    name: String,
    kind: Kind,
    part: PathBuf,
    have: Have,
}

enum Have {
    Nothing,
    Part(File, Chain),
    /// Perhaps it is there already.
    Whole(PathBuf, Chain),
}

struct Open {
    looked: Looked,
    chain: Chain,
    /// `None` where the whole file is there already.
    file: Option<File>,
}

impl Disk {
    pub(super) fn new(into: Into) -> Self {
        Self { into, looked: VecDeque::new(), open: None, claimed: BTreeSet::new(), placed: BTreeSet::new() }
    }

    /// Makes an empty folder.
    pub(super) fn folder(&mut self, path: &FilePath) -> Result<(), Failure> {
        self.make_folders(path.parts()).map(drop)
    }

    /// How much of a file is there, and the chain over it.
    pub(super) fn look(&mut self, entry: Entry) -> Result<(u64, Digest), Failure> {
        let Entry { path, kind } = entry;
        let size = if let Kind::File { size, .. } = kind { size } else { 0 };
        let mut folders: Vec<&str> = path.parts().collect();
        folders.pop();
        let folder = self.make_folders(folders.into_iter())?;
        let name = local_name(path.name(), cfg!(windows));
        let free = |part: &PathBuf| !self.claimed.contains(part);
        let parts = (0..NUMBERS).map(|number| folder.join(part_name(&numbered(&name, number))));
        let part = parts.into_iter().find(free).ok_or_else(|| disk(&folder, "too many files of one name"))?;
        self.claimed.insert(part.clone());
        let have = match self.part(&part, size).map_err(|why| disk(&part, why))? {
            Have::Nothing => self.whole(&folder, &name, size).map_err(|why| disk(&folder.join(&name), why))?,
            have => have,
        };
        let (there, digest) = match &have {
            Have::Nothing => (0, Digest::default()),
            Have::Part(_, chain) | Have::Whole(_, chain) => (chain.bytes(), chain.digest()),
        };
        if free_bytes(&folder).is_some_and(|free| size - there > free) {
            let why = format!("there is not enough room in {} for {path}", folder.display());
            return Err(Failure { reason: Reason::TooLarge, why });
        }
        self.looked.push_back(Looked { folder, path, name, kind, part, have });
        Ok((there, digest))
    }

    /// The next file that was looked at comes from there on.
    pub(super) fn begin(&mut self, from: u64) -> Result<(), Failure> {
        let Some(mut looked) = self.looked.pop_front() else {
            return Err(disk(&self.into.folder, "nothing is to come"));
        };
        let (chain, file) = match std::mem::replace(&mut looked.have, Have::Nothing) {
            Have::Whole(place, chain) if chain.bytes() == from => {
                looked.have = Have::Whole(place, Chain::default());
                (chain, None)
            }
            Have::Part(file, chain) if chain.bytes() == from => (chain, Some(file)),
            Have::Part(file, _) => (Chain::default(), Some(file)),
            _ => (Chain::default(), Some(open_part(&looked.part).map_err(|why| disk(&looked.part, why))?)),
        };
        if let Some(file) = &file {
            let ready = file.set_len(chain.bytes()).and_then(|()| (&*file).seek(SeekFrom::Start(chain.bytes())));
            ready.map_err(|why| disk(&looked.part, why))?;
        }
        self.open = Some(Open { looked, chain, file });
        Ok(())
    }

    /// These bytes belong to the file that has begun.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(Open { looked, chain, file: Some(file) }) = &mut self.open else {
            return Err(disk(&self.into.folder, "no file is open"));
        };
        chain.add(bytes);
        file.write_all(bytes).map_err(|why| disk(&looked.part, why))
    }

    /// The file is over: is it what it should be? Then it is put in its place.
    pub(super) fn finish(&mut self, hash: Digest) -> Result<Kept, Failure> {
        let Some(Open { looked, chain, file }) = self.open.take() else {
            return Err(disk(&self.into.folder, "no file is open"));
        };
        self.claimed.remove(&looked.part);
        if chain.digest() != hash {
            if file.is_some() {
                // It is worth nothing; where it cannot be thrown away it is found out again.
                let _ = fs::remove_file(&looked.part);
            }
            let why = format!("{} did not arrive as it was sent", looked.path);
            return Err(Failure { reason: Reason::Broken, why });
        }
        let kept = match (file, &looked.have) {
            (Some(file), _) => {
                let Looked { folder, name, kind, part, .. } = &looked;
                let placed = finished(&file, *kind).and_then(|()| {
                    drop(file);
                    self.place(folder, name, part)
                });
                let place = placed.map_err(|why| disk(part, why))?;
                Kept { renamed: place.file_name().is_none_or(|name| name != looked.path.name()), place, already: false }
            }
            (None, Have::Whole(place, _)) => {
                let renamed = place.file_name().is_none_or(|name| name != looked.path.name());
                Kept { renamed, place: place.clone(), already: true }
            }
            (None, _) => return Err(disk(&looked.part, "no file is open")),
        };
        self.placed.insert(kept.place.to_string_lossy().to_lowercase());
        Ok(kept)
    }

    /// The folder at the end of this way, made where it is missing. A link on the way leads elsewhere and is none.
    fn make_folders<'p>(&self, parts: impl Iterator<Item = &'p str>) -> Result<PathBuf, Failure> {
        let mut folder = self.into.folder.clone();
        fs::create_dir_all(&folder).map_err(|why| disk(&folder, why))?;
        for part in parts {
            folder.push(local_name(part, cfg!(windows)));
            match fs::symlink_metadata(&folder) {
                Ok(there) if there.is_dir() => {}
                Ok(_) => return Err(disk(&folder, "a folder is to be there, and something else is")),
                Err(why) if why.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&folder).map_err(|why| disk(&folder, why))?;
                }
                Err(why) => return Err(disk(&folder, why)),
            }
        }
        Ok(folder)
    }

    /// What came of it before.
    fn part(&self, part: &Path, size: u64) -> io::Result<Have> {
        let there = match fs::symlink_metadata(part) {
            Ok(there) if there.is_file() => there.len(),
            Ok(_) => return Err(io::Error::other("something else is in its place")),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Have::Nothing),
            Err(why) => return Err(why),
        };
        let file = open_part(part)?;
        let whole = if there == size { size } else { there.min(size) / PIECE_BYTES * PIECE_BYTES };
        let chain = chain(&file, whole)?;
        Ok(Have::Part(file, chain))
    }

    /// A file of the name, or of the name with a number, that has the size.
    fn whole(&self, folder: &Path, name: &str, size: u64) -> io::Result<Have> {
        for number in 0..NUMBERS {
            let place = folder.join(numbered(name, number));
            match fs::symlink_metadata(&place) {
                Ok(there) if there.is_file() && there.len() == size => {
                    // What we may not read is not known to be the same.
                    let Ok(file) = File::open(&place) else { continue };
                    return Ok(Have::Whole(place, chain(&file, size)?));
                }
                Ok(_) if !self.into.overwrite => {}
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => break,
            }
        }
        Ok(Have::Nothing)
    }

    /// Puts a whole file where it belongs, at once or not at all.
    fn place(&self, folder: &Path, name: &str, part: &Path) -> io::Result<PathBuf> {
        for number in 0..NUMBERS {
            let place = folder.join(numbered(name, number));
            // Two names of one transfer that this system takes for the same are still two files.
            let is_ours = self.placed.contains(&place.to_string_lossy().to_lowercase());
            if self.into.overwrite && !is_ours {
                return fs::rename(part, &place).map(|()| place);
            }
            // A second name is never given to what is there already, whoever makes it at this moment.
            match fs::hard_link(part, &place) {
                Ok(()) => return fs::remove_file(part).map(|()| place),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                // Not every file system has second names.
                Err(_) if fs::symlink_metadata(&place).is_err() => return fs::rename(part, &place).map(|()| place),
                Err(_) => {}
            }
        }
        Err(io::Error::other("too many files of one name are there"))
    }
}

/// Opens what is not whole yet, for nobody else.
fn open_part(part: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part)?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::other("another transfer is writing it")),
        // Some file systems have no locks.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// The chain over the first bytes of a file.
fn chain(file: &File, bytes: u64) -> io::Result<Chain> {
    let mut chain = Chain::default();
    let mut piece = Vec::new();
    while chain.bytes() < bytes {
        piece.clear();
        let wanted = piece_bytes(bytes, chain.bytes());
        if file.take(wanted).read_to_end(&mut piece)? as u64 != wanted {
            return Err(io::Error::other("it became shorter meanwhile"));
        }
        chain.add(&piece);
    }
    Ok(chain)
}

/// Lets a file be as it was at the sender's, and safe on the disk.
fn finished(file: &File, kind: Kind) -> io::Result<()> {
    if let Kind::File { modified, executable, .. } = kind {
        #[cfg(unix)]
        if executable {
            use std::os::unix::fs::PermissionsExt;
            let mut permissions = file.metadata()?.permissions();
            // Whoever may read it may run it.
            permissions.set_mode(permissions.mode() | (permissions.mode() & 0o444) >> 2);
            file.set_permissions(permissions)?;
        }
        #[cfg(not(unix))]
        let _ = executable;
        if let Some(time) = modified.and_then(|modified| UNIX_EPOCH.checked_add(Duration::from_millis(modified))) {
            // A time that this system cannot write is no reason to lose the file.
            let _ = file.set_modified(time);
        }
    }
    file.sync_all()
}

/// What is free where this folder is, if the system says so.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let there = rustix::fs::statvfs(folder).ok()?;
        there.f_bavail.checked_mul(there.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it")]
fn disk(place: &Path, why: impl ToString) -> Failure {
    Failure { reason: Reason::Disk, why: format!("{}: {}", place.display(), why.to_string()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
