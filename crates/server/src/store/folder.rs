//! Where the data lies: choosing the folder, making it, and keeping it to one server.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use etcetera::BaseStrategy;

use super::OpenError;

/// Where a store keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is gone with the process.
    Memory,
    /// In a folder of its own.
    Folder(PathBuf),
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    /// `:memory:`, or else a folder's path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            ":memory:" => Self::Memory,
            path => Self::Folder(path.into()),
        })
    }
}

/// `$STATE_DIRECTORY` if a service manager set it, else `wigwag` in the platform's place for a user's data.
pub fn default_data_dir() -> Result<PathBuf, OpenError> {
    data_dir_from(std::env::var_os("STATE_DIRECTORY"), || {
        let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(strategy.data_dir())
    })
}

fn data_dir_from(
    state_directory: Option<OsString>,
    user_data: impl FnOnce() -> Option<PathBuf>,
) -> Result<PathBuf, OpenError> {
    // A unit with several state directories gets them all, parted by colons; the first is the main one.
    let first = state_directory.and_then(|all| std::env::split_paths(&all).next());
    match first.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => Ok(path),
        None => user_data().map(|dir| dir.join("wigwag")).ok_or(OpenError::NoHome),
    }
}

/// A data folder held by this process. The system gives it free when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Folder {
    database: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes the folder if need be and takes its lock.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        let fail = |source| OpenError::Folder { path: path.to_path_buf(), source };
        make_private_dir(path).map_err(fail)?;
        let lock_path = path.join("wigwag.lock");
        let mut lock = match open_private(&lock_path) {
            // On a disk that was mounted read-only the lock file of an earlier run will do.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&lock_path),
            opened => opened,
        }
        .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_path_buf(), by: holder(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        // Only for the message above: a full or read-only disk must not keep the server from starting.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { database: path.join("wigwag.db"), lock })
    }

    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// Whether an earlier run left a database here.
    pub(super) fn was_used(&self) -> bool {
        fs::metadata(&self.database).is_ok_and(|found| found.len() > 0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing the file is not enough while a child that is just being started still has it open.
        let _ = self.lock.unlock();
    }
}

/// Creates an empty file that only its owner may read, so that the database never exists with a wider mode.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    open_private(path).map(drop)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = Read::by_ref(lock).take(32).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => format!(" (process {pid})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_service_managers_folder_comes_first() {
        let home = || Some(PathBuf::from("/home/a/.local/share"));
        let dir = |set: Option<&str>| data_dir_from(set.map(Into::into), home).unwrap();
        assert_eq!(dir(Some("/var/lib/wigwag")), Path::new("/var/lib/wigwag"));
        assert_eq!(dir(Some("/var/lib/a:/var/lib/b")), Path::new("/var/lib/a"));
        assert_eq!(dir(Some("")), Path::new("/home/a/.local/share/wigwag"));
        assert_eq!(dir(None), Path::new("/home/a/.local/share/wigwag"));
    }

    #[test]
    fn without_any_home_it_says_what_to_set() {
        let error = data_dir_from(None, || None).unwrap_err();
        assert!(error.to_string().contains("STATE_DIRECTORY"), "{error}");
    }

    #[test]
    fn a_place_is_memory_or_a_folder() {
        assert_eq!(":memory:".parse(), Ok(Place::Memory));
        assert_eq!("/srv/x".parse(), Ok(Place::Folder("/srv/x".into())));
    }
}
