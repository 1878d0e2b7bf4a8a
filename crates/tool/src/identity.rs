//! Whose key the commands use: where its secret lies, how it is read and made.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use etcetera::BaseStrategy;
use wigwag_wire::PublicKey;

use crate::args::IdentityArgs;

/// A key pair.
pub(crate) struct Identity(SigningKey);

impl Identity {
    /// Makes one that nobody had before.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|why| anyhow!("no randomness to be had: {why}"))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads what these options name, and makes it where it is the default one and not there yet.
    /// Returns where it lies and whether it was made.
    pub(crate) fn of(args: &IdentityArgs) -> anyhow::Result<(Self, PathBuf, bool)> {
        if let Some(path) = &args.identity {
            return Ok((Self::read(path)?, path.clone(), false));
        }
        let path = default_path().context("this system has no place for data: name a file with --identity")?;
        match Self::read(&path) {
            Ok(identity) => return Ok((identity, path, false)),
            Err(why) if !is_missing(&why) => return Err(why),
            Err(_) => {}
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let identity = Self::make()?;
        identity.write(&path)?;
        Ok((identity, path, true))
    }

    /// What others see.
    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.0.verifying_key().to_bytes())
    }

    /// The secret itself.
    pub(crate) fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The secret, in base64url.
    pub(crate) fn secret(&self) -> String {
        BASE64URL_NOPAD.encode(self.0.as_bytes())
    }

    /// The signature over these bytes, in base64url.
    pub(crate) fn sign(&self, statement: &[u8]) -> String {
        BASE64URL_NOPAD.encode(&self.0.sign(statement).to_bytes())
    }

    /// Writes the secret to a file that was not there before and that only its owner may read.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .and_then(|mut file| writeln!(file, "{}", self.secret()).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok();
        let Some(seed) = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
            bail!("{} holds no secret of an identity: `wigwag keygen --out FILE` writes one", path.display());
        };
        Ok(Self(SigningKey::from_bytes(&seed)))
    }
}

/// `identity` in the folder that the platform has for a program's data.
fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.data_dir().join("wigwag").join("identity"))
}

fn is_missing(why: &anyhow::Error) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::NotFound)
}
