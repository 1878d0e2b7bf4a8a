//! What a finder owes, and the two that come with this package.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wigwag_peer::calls::CallError;

use super::Sighting;
use crate::codes::{CodeError, Codes};
use crate::connection::Connection;
use crate::error::AskError;
use crate::event::Found;
use crate::handle::Wigwag;

/// People carry codes, and take minutes.
const CODE: Duration = Duration::from_secs(600);

/// What comes of asking a finder.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, NotFound>> + Send>>;

/// Why a finder did not find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotFound {
    /// In one word, such as `not_found`, `absent`, `no_path` or `refused`.
    pub reason: String,
    /// For a person.
    pub message: String,
}

impl NotFound {
    /// A reason in one word, and for a person.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }
}

/// What a finder is told.
#[derive(Clone, Debug)]
pub struct Task {
    /// An id or a code.
    pub target: String,
    /// The app's world.
    pub namespace: String,
    /// So long it has.
    pub time: Duration,
}

/// One way to find a peer. Futures that it returns are dropped when nobody waits for them any more; what they hold has to go with them.
pub trait Finder: Send + Sync + 'static {
    /// A word of its own; each stands once in a search.
    fn name(&self) -> &str;

    /// Whether it knows what to do with this target; left out, with every id and no code.
    fn takes(&self, target: &str) -> bool {
        !is_code(target)
    }

    /// A time of its own, where it needs more or less than others.
    fn time(&self) -> Option<Duration> {
        None
    }

    /// Says where the peer is, or that nobody knows. `None` where this is no finder of that kind.
    fn find(&self, _task: Task) -> Option<Answer<Option<Sighting>>> {
        None
    }

    /// Brings about an open connection. `None` where this is no finder of that kind.
    fn connect(&self, _task: Task) -> Option<Answer<Connection>> {
        None
    }
}

/// The signaling server.
pub(super) struct ServerFinder(pub(super) Wigwag);

impl Finder for ServerFinder {
    fn name(&self) -> &'static str {
        "server"
    }

    fn find(&self, task: Task) -> Option<Answer<Option<Sighting>>> {
        let client = self.0.clone();
        Some(Box::pin(async move {
            let Found { state, seen, .. } = client.find(&task.target).await?;
            Ok(Some(Sighting { state, seen, record: None }))
        }))
    }

    fn connect(&self, task: Task) -> Option<Answer<Connection>> {
        let connecting = self.0.connect(&task.target).deadline(task.time);
        Some(Box::pin(async move { Ok(connecting.await?) }))
    }
}

/// Codes that people carry.
pub(super) struct CodeFinder {
    pub(super) codes: Codes,
    pub(super) show: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Finder for CodeFinder {
    fn name(&self) -> &'static str {
        "code"
    }

    fn takes(&self, target: &str) -> bool {
        is_code(target)
    }

    fn time(&self) -> Option<Duration> {
        Some(CODE)
    }

    fn connect(&self, task: Task) -> Option<Answer<Connection>> {
        let (codes, show) = (self.codes.clone(), Arc::clone(&self.show));
        Some(Box::pin(async move {
            let answer = codes.answer(&task.target).await?;
            show(answer.code());
            Ok(answer.opened().await?)
        }))
    }
}

impl From<CodeError> for NotFound {
    fn from(why: CodeError) -> Self {
        Self::new(why.reason(), why.to_string())
    }
}

impl From<AskError> for NotFound {
    fn from(why: AskError) -> Self {
        let reason = match &why {
            AskError::Refused(refused) => refused.name.clone(),
            AskError::GivenUp(_) => CallError::Closed.reason().to_owned(),
            AskError::Bad(_) | AskError::Unreadable => "failed".to_owned(),
        };
        Self::new(reason, why.to_string())
    }
}

/// Whether a person meant an offer or answer code, though it may be mangled: no id looks like it.
pub(super) fn is_code(target: &str) -> bool {
    let text = target.rsplit(['#', '/', '=', '?', ':']).next().unwrap_or_default();
    let text: String = text.chars().filter(|char| !char.is_whitespace() && *char != '-').collect();
    let rest = |begin: &str| text.get(..2).filter(|head| *head == begin).and_then(|_| text.get(2..));
    let is_good = |rest: &str, least: usize, good: fn(&char) -> bool| rest.chars().take_while(good).count() >= least;
    let upper = rest("WW").is_some_and(|rest| is_good(rest, 18, |c| c.is_ascii_uppercase() || c.is_ascii_digit()));
    let any = text.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("ww"))
        && is_good(text.get(2..).unwrap_or_default(), 39, char::is_ascii_alphanumeric);
    !target.contains('@') && (upper || any)
}

#[cfg(test)]
mod tests {
    use super::is_code;

    #[test]
    fn codes_are_told_from_ids_though_they_are_mangled() {
        let code = "WW2006A43AXF0P96667RTAS4PKK8BDEA0YFM37D06VXJ65C54";
        for text in [
            code,
            &code.to_lowercase(),
            &code.replace("AXF", "A XF\n"),
            &format!("https://a.example/#{code}"),
            &code[..30],
        ] {
            assert!(is_code(text), "{text}");
        }
        for text in ["wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww", "ww@example.org", "~wwwwwwwwwwwwwwwwwwww", "WWF", ""] {
            assert!(!is_code(text), "{text}");
        }
    }
}
