//! Where a socket arrived: what the address it asked for says about it.

use wigwag_wire::Namespace;

use crate::dialect::Dialect;

/// What a socket is about to speak, as far as its address tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// This dialect.
    One(Dialect),
    /// One of these; the first frame tells which.
    Among(Vec<Dialect>),
}

/// The address that a socket asked for, taken apart by the server.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Which dialect.
    pub which: Which,
    /// The namespace that `?ns=` names; the server's default one where it is left out.
    pub namespace: Option<Namespace>,
    /// What follows the dialect's own path, decoded: a room, a network. Empty where nothing does.
    pub rest: String,
    /// The query's fields, decoded, in order.
    pub query: Vec<(String, String)>,
}

/// The address of a socket whose dialect does not look at it again.
pub(crate) static FORGOTTEN: Arrival =
    Arrival { which: Which::Among(Vec::new()), namespace: None, rest: String::new(), query: Vec::new() };

impl Arrival {
    /// A field of the query: the first of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
