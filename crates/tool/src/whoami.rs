//! `wigwag whoami`: the identity that the commands of this machine use.

use std::path::PathBuf;

use serde::Serialize;
use wigwag::Signer;

use crate::args::WhoamiArgs;
use crate::exit::{Exit, Failure};
use crate::identity;
use crate::out::Out;

#[derive(Serialize)]
struct Who {
    id: String,
    public: String,
    file: PathBuf,
    /// Where the keys are of names that the commands have met.
    known_keys: PathBuf,
    /// Whether it was made just now.
    new: bool,
}

/// Shows who we are, and makes us somebody where we are nobody yet.
pub(crate) fn run(out: &mut Out, args: &WhoamiArgs) -> Result<Exit, Failure> {
    let (own, file, new) = identity::of(&args.identity).map_err(|why| Exit::Io.because(why))?;
    let public = own.key();
    let known_keys = identity::known_keys(&file);
    let who = Who { id: public.id().to_string(), public: public.to_string(), file, known_keys, new };
    if args.json {
        return out.json(&who);
    }
    out.line(&format!(
        "id      {}\npublic  {}\nsecret  in {}\nothers  in {}",
        who.id,
        who.public,
        who.file.display(),
        who.known_keys.display()
    ))?;
    if new {
        out.line("\nThis identity was made just now. Whoever has that file is this peer: keep it to yourself.")?;
    }
    Ok(Exit::Done)
}
