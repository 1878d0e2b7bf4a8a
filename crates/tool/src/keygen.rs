//! `wigwag keygen`: a new key pair for a peer.

use serde::Serialize;
use wigwag::Signer;

use crate::args::KeygenArgs;
use crate::exit::{Exit, Failure};
use crate::identity;
use crate::out::Out;

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
pub(crate) fn run(out: &mut Out, args: &KeygenArgs) -> Result<Exit, Failure> {
    let made = identity::make().map_err(|why| Exit::Failed.because(why))?;
    if let Some(path) = &args.out {
        identity::write(&made, path).map_err(|why| Exit::Io.because(why))?;
    }
    let public = made.key();
    let pair = KeyPair {
        public: public.to_string(),
        id: public.id().to_string(),
        secret: args.out.is_none().then(|| identity::secret(&made)),
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
