//! Which promises of a dialect a server keeps.

use std::time::{Duration, Instant};

use super::{Base, Dial, Live};
use crate::pattern::Bindings;
use crate::player::{Misstep, Request, Stopped, World, fresh};
use crate::scripts::Script;
use crate::transcript::Fresh;

/// What takes longer than this is not waited for.
const LONGEST_MS: u64 = 150_000;

/// What is asked of a server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it is. `{network}` in its path is a value of its own for each transcript.
    pub base: Base,
    /// How long one thing that is expected may take.
    pub patience: Duration,
    /// Whether promises that only our server makes are asked for.
    pub strict: bool,
    /// Whether transcripts that take long are played.
    pub slow: bool,
}

/// How a promise fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Kept,
    /// It does not.
    Broken(Misstep),
    /// Nobody knows, and why.
    NotChecked(String),
}

/// A promise and how it fared.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How it fared.
    pub verdict: Verdict,
    /// How long that took.
    pub took: Duration,
}

impl Plan {
    /// Why a promise is not even asked for.
    pub fn passes_over(&self, script: &Script) -> Option<&'static str> {
        let transcript = &script.transcript;
        if transcript.ours && !self.strict {
            Some("originals do not promise this; --strict asks all the same")
        } else if transcript.needs_own_server() {
            Some("needs a server that is set up in a way of its own")
        } else if transcript.waits_ms() > LONGEST_MS {
            Some("takes so long that it is shown at a table only, where the clock can be moved")
        } else if transcript.slow && !self.slow {
            Some("takes long; --slow waits for it")
        } else {
            None
        }
    }

    /// Asks for one promise.
    pub fn check(&self, script: &Script, dial: &Dial, random: &mut impl FnMut() -> u64) -> Checked {
        let begun = Instant::now();
        let verdict = match self.passes_over(script) {
            Some(why) => Verdict::NotChecked(why.into()),
            None => self.play(script, dial, random),
        };
        Checked { verdict, took: begun.elapsed() }
    }

    /// The same, whatever the plan passes over.
    pub fn play(&self, script: &Script, dial: &Dial, random: &mut impl FnMut() -> u64) -> Verdict {
        let path = self.base.path.replace("{network}", &fresh(Fresh::Word, random));
        let mut world = match Live::new(self.base.at(&path), dial.clone(), self.patience) {
            Ok(world) => world,
            Err(why) => return Verdict::NotChecked(why.to_string()),
        };
        match script.transcript.play(&mut world, Bindings::default(), random) {
            Ok(()) => Verdict::Kept,
            Err(Stopped::Broken(misstep)) => Verdict::Broken(misstep),
            Err(Stopped::Unable(why)) => Verdict::NotChecked(why),
        }
    }
}

/// Whether anybody answers there; the error says why not.
pub fn reach(base: &Base, dial: &Dial, patience: Duration) -> Result<(), String> {
    Live::new(base.clone(), dial.clone(), patience).map_err(|why| why.to_string())?.reach()
}

/// Whether the server says that it is a Wigwag server. The error is that it cannot be reached.
pub fn is_wigwag(base: &Base, dial: &Dial, patience: Duration) -> Result<bool, String> {
    reach(base, dial, patience)?;
    let mut live = Live::new(base.clone(), dial.clone(), patience).map_err(|why| why.to_string())?;
    let request = Request { method: "GET".into(), path: "/version".into(), headers: [].into() };
    let Ok(answer) = live.request(&request) else { return Ok(false) };
    let version: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(answer.status == 200 && version["name"] == "wigwag")
}
