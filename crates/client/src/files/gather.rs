//! What is to be sent: the files of a list and in its folders, with paths that may cross.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use wigwag_files::{Entry, FOLDERS_MAX, FilePath, Kind};

/// Most files of a transfer: their list is in memory.
const FILES_MAX: usize = 1_000_000;

/// So many that were left out are remembered.
const LEFT_OUT_MAX: usize = 1_000;

/// What is to be sent.
#[derive(Debug)]
pub struct Files {
    name: String,
    pub(super) entries: Vec<Entry>,
    /// Where each entry lies.
    pub(super) places: Vec<PathBuf>,
    folders: u64,
    left_out: Vec<LeftOut>,
}

/// Something that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it lies.
    pub path: PathBuf,
    /// Why.
    pub why: &'static str,
}

/// Why there is nothing to send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// It cannot be read.
    #[error("cannot read {}: {why}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Nothing of it can be sent.
    #[error("there is nothing in it that can be sent")]
    Nothing,
    /// It is more than one transfer holds.
    #[error("these are more than {FILES_MAX} files: pack them first")]
    TooMany,
}

impl Files {
    /// Looks at files and folders, on a thread for it. Each is called what it is called here; two of the same name get numbers.
    pub async fn gather(paths: Vec<PathBuf>) -> Result<Self, GatherError> {
        let gathered = tokio::task::spawn_blocking(move || gather(&paths)).await;
        gathered.unwrap_or(Err(GatherError::Nothing))
    }

    /// One file under another name than it has here.
    pub async fn one(path: PathBuf, name: &str) -> Result<Self, GatherError> {
        let mut files = Self::gather(vec![path]).await?;
        let called = FilePath::new(name).ok().filter(|path| path.parts().count() == 1);
        match (files.entries.as_mut_slice(), called) {
            ([entry], Some(path)) => entry.path = path,
            _ => return Err(GatherError::Nothing),
        }
        name.clone_into(&mut files.name);
        Ok(files)
    }

    /// What it is called for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many files.
    pub fn count(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.kind != Kind::Folder).count() as u64
    }

    /// How many bytes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }

    /// What is not sent: links, devices, and names that not every system can write.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

fn gather(paths: &[PathBuf]) -> Result<Files, GatherError> {
    let mut files =
        Files { name: String::new(), entries: Vec::new(), places: Vec::new(), folders: 0, left_out: Vec::new() };
    let mut tops = BTreeSet::new();
    for path in paths {
        let fail = |why| GatherError::Io { path: path.clone(), why };
        // What a person names may be a link; what is in a folder may not.
        let metadata = fs::metadata(path).map_err(fail)?;
        let real = fs::canonicalize(path).map_err(fail)?;
        let given = path.file_name().or(real.file_name()).and_then(|name| name.to_str());
        let Some(name) = given else {
            files.leave_out(path, "its name is no text");
            continue;
        };
        let top = (0..).map(|number| wigwag_files::numbered(name, number)).find(|top| tops.insert(top.to_lowercase()));
        files.take(path.clone(), &top.unwrap_or_default(), &metadata)?;
    }
    files.name = match (paths, tops.len()) {
        (_, 1) => files.entries[..].first().and_then(|entry| entry.path.parts().next()).unwrap_or_default().to_owned(),
        (paths, _) => format!("{} files and folders", paths.len()),
    };
    if files.entries.is_empty() { Err(GatherError::Nothing) } else { Ok(files) }
}

impl Files {
    /// Takes in a file, or all that is in a folder.
    fn take(&mut self, top: PathBuf, name: &str, metadata: &Metadata) -> Result<(), GatherError> {
        let mut waiting = vec![(top, name.to_owned(), metadata.clone())];
        while let Some((place, name, metadata)) = waiting.pop() {
            let Ok(path) = FilePath::new(name) else {
                self.leave_out(&place, "not every system can write its name");
                continue;
            };
            if metadata.is_file() {
                self.entries.push(Entry { path, kind: described(&metadata) });
                self.places.push(place);
            } else if metadata.is_dir() {
                let mut inside = match inside(&place) {
                    Ok(inside) => inside,
                    Err(why) => return Err(GatherError::Io { path: place, why }),
                };
                // The last is taken up first.
                inside.sort_by(|(one, _), (other, _)| other.cmp(one));
                if inside.is_empty() {
                    self.folders += 1;
                    self.entries.push(Entry { path, kind: Kind::Folder });
                    self.places.push(place);
                    continue;
                }
                for (inner, metadata) in inside {
                    match inner.file_name().and_then(|name| name.to_str()) {
                        Some(name) => waiting.push((inner.clone(), format!("{path}/{name}"), metadata)),
                        None => self.leave_out(&inner, "its name is no text"),
                    }
                }
            } else {
                let why = if metadata.is_symlink() { "it is a link" } else { "it is no file" };
                self.leave_out(&place, why);
            }
            if self.entries.len() > FILES_MAX || self.folders > FOLDERS_MAX {
                return Err(GatherError::TooMany);
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &Path, why: &'static str) {
        if self.left_out.len() < LEFT_OUT_MAX {
            self.left_out.push(LeftOut { path: path.to_owned(), why });
        }
    }
}

fn inside(folder: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    fs::read_dir(folder)?.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))).collect()
}

fn described(metadata: &Metadata) -> Kind {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = false;
    Kind::File { size: metadata.len(), modified, executable }
}
