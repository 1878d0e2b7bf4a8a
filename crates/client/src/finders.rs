//! Several ways to find a peer as one call, `spec/finding.md`: asked all at once or one after the other, and believed where they prove what they
//! say. How a search goes is decided in `wigwag-peer`; here finders are asked.

mod own;
mod run;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wigwag_peer::calls::CallError;
use wigwag_peer::finding::{Order, PeerRecord};

pub use self::own::{Answer, Finder, NotFound, Task};
use self::own::{CodeFinder, ServerFinder};
use crate::connection::Connection;
use crate::event::PeerState;
use crate::handle::Wigwag;

/// Where a peer is, as one finder says.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// How it is there.
    pub state: PeerState,
    /// When it was last there, where it is not.
    pub seen: Option<SystemTime>,
    /// What it says of itself, signed: without it nobody but our own server is believed.
    pub record: Option<PeerRecord>,
}

/// A sighting that is verified, and who brought it.
#[derive(Clone, Debug)]
pub struct Sighted {
    /// The finder's name.
    pub finder: String,
    /// What it says.
    pub sighting: Sighting,
}

/// What became of one finder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its name.
    pub finder: String,
    /// Why it did not find, in one word.
    pub reason: String,
    /// The same for a person.
    pub message: String,
}

/// Nobody found the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::told(tried))]
pub struct FindError {
    /// The reason of the finder that came furthest.
    pub reason: String,
    /// Each finder's own, in the order of the list.
    pub tried: Vec<Tried>,
}

impl FindError {
    fn told(tried: &[Tried]) -> String {
        match tried {
            [] => "no finder knows what to do with this".to_owned(),
            [alone] => alone.message.clone(),
            several => {
                several.iter().map(|each| format!("{}: {}", each.finder, each.message)).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// What happens in a search.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A finder is asked, and has so long.
    Asked {
        /// Which.
        finder: String,
        /// How long.
        time: Duration,
    },
    /// It is out.
    Lost(Tried),
    /// Nobody waits for it any more.
    Cancelled {
        /// Which.
        finder: String,
    },
    /// Its answer is the answer.
    Won {
        /// Which.
        finder: String,
    },
}

type Tell = Box<dyn FnMut(Progress) + Send>;

/// A search: say by whom, then [`Search::connect`] or [`Search::find`]. Dropped, it is called off.
#[must_use = "nothing happens before it is told to connect or to find"]
pub struct Search {
    client: Wigwag,
    target: String,
    finders: Vec<Known>,
    order: Order,
    deadline: Option<Duration>,
    tell: Tell,
}

/// A finder of a search.
struct Known {
    finder: Arc<dyn Finder>,
    /// Whether it is our own server, which is believed as far as a server can be.
    is_server: bool,
}

impl Search {
    pub(crate) fn new(client: Wigwag, target: &str) -> Self {
        let (finders, tell) = (Vec::new(), Box::new(|_| {}));
        Self { client, target: target.to_owned(), finders, order: Order::Race, deadline: None, tell }
    }

    /// Asks the server. The finder that is named first is the most wanted; where none is named, the server is asked.
    pub fn by_server(mut self) -> Self {
        let finder = Arc::new(ServerFinder(self.client.clone()));
        self.finders.push(Known { finder, is_server: true });
        self
    }

    /// Takes an offer code as target: `show` hands the answer code to the person who has to carry it back.
    pub fn by_code(self, show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let finder = CodeFinder { codes: self.client.codes(), show: Arc::new(show) };
        self.by(finder)
    }

    /// Asks a finder of the program's own.
    pub fn by(mut self, finder: impl Finder) -> Self {
        self.finders.push(Known { finder: Arc::new(finder), is_server: false });
        self
    }

    /// All at once, or one after the other. Left out, all at once.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// How long it may take. Left out, 20 s for a connection and 10 s for a sighting, or as long as the most patient finder needs.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Is told what happens.
    pub fn progress(mut self, tell: impl FnMut(Progress) + Send + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }

    /// Connects by whichever finder has an open connection to this very peer first; [`Connection::finder`] says who it was.
    pub async fn connect(self) -> Result<Connection, FindError> {
        run::connect(self).await
    }

    /// The first verified sighting of a peer that is here; where none says so, the best of the others.
    pub async fn find(self) -> Result<Sighted, FindError> {
        run::find(self).await
    }
}

impl From<CallError> for NotFound {
    fn from(why: CallError) -> Self {
        Self::new(why.reason(), why.to_string())
    }
}
