//! Whose key the commands use: where its secret lies, how it is read and made.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use data_encoding::BASE64URL_NOPAD;
use etcetera::BaseStrategy;
use wigwag::Identity;

use crate::args::IdentityArgs;

/// Makes an identity that nobody had before.
pub(crate) fn make() -> anyhow::Result<Identity> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| anyhow!("no randomness to be had: {why}"))?;
    Ok(Identity::ed25519(&seed))
}

/// Reads the identity that these options name, and makes it where it is the default one and not there yet.
/// Returns where it lies and whether it was made.
pub(crate) fn of(args: &IdentityArgs) -> anyhow::Result<(Identity, PathBuf, bool)> {
    if let Some(path) = &args.identity {
        return Ok((read(path)?, path.clone(), false));
    }
    let path = default_path().context("this system has no place for data: name a file with --identity")?;
    match read(&path) {
        Ok(identity) => return Ok((identity, path, false)),
        Err(why) if !is_missing(&why) => return Err(why),
        Err(_) => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let identity = make()?;
    write(&identity, &path)?;
    Ok((identity, path, true))
}

/// The secret of an identity, as its file holds it.
pub(crate) fn secret(identity: &Identity) -> String {
    BASE64URL_NOPAD.encode(&identity.secret())
}

/// Writes the secret to a file that was not there before and that only its owner may read.
pub(crate) fn write(identity: &Identity, path: &Path) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| writeln!(file, "{}", secret(identity)).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Where the keys of names are kept that the commands have met: beside the identity, for they are what this identity believes.
pub(crate) fn known_keys(identity: &Path) -> PathBuf {
    let mut name = identity.as_os_str().to_owned();
    name.push(".known-keys");
    name.into()
}

fn read(path: &Path) -> anyhow::Result<Identity> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok();
    let Some(seed) = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
        bail!("{} holds no secret of an identity: `wigwag keygen --out FILE` writes one", path.display());
    };
    Ok(Identity::ed25519(&seed))
}

/// `identity` in the folder that the platform has for a program's data.
fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.data_dir().join("wigwag").join("identity"))
}

fn is_missing(why: &anyhow::Error) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::NotFound)
}
