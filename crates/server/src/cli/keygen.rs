//! `wigwag keygen`: a new key pair for a peer.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use wigwag_wire::PublicKey;

use super::args::KeygenArgs;
use super::exit::{Exit, Failure};
use super::out::Out;

#[derive(Serialize)]
struct KeyPair {
    /// `ed25519:<base64url>`: what others see.
    public: String,
    /// The id that the key has by itself.
    id: String,
    /// The seed, base64url; absent where it went into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Makes a key pair and shows it; the secret goes into a file if one is named.
pub(super) fn run(out: &mut Out, args: &KeygenArgs) -> Result<Exit, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|why| Exit::Failed.because(anyhow::anyhow!("no randomness to be had: {why}")))?;
    let public = PublicKey::Ed25519(SigningKey::from_bytes(&seed).verifying_key().to_bytes());
    let secret = BASE64URL_NOPAD.encode(&seed);
    if let Some(path) = &args.out {
        write_secret(path, &secret).map_err(|why| Exit::Io.because(why))?;
    }
    let pair = KeyPair {
        public: public.to_string(),
        id: public.id().to_string(),
        secret: args.out.is_none().then_some(secret),
    };
    if args.json {
        return out.json(&pair);
    }
    out.line(&format!("public  {}\nid      {}", pair.public, pair.id))?;
    match (&pair.secret, &args.out) {
        (Some(secret), _) => {
            out.line(&format!("secret  {secret}\n\nWhoever has the secret is this peer: keep it to yourself."))
        }
        (None, Some(path)) => out.line(&format!("secret  in {}", path.display())),
        (None, None) => Ok(Exit::Done),
    }
}

/// Writes a file that was not there before and that only its owner may read.
fn write_secret(path: &Path, secret: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| writeln!(file, "{secret}").and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}
