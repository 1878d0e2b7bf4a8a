//! A set of names that the server is asked about by the hundred: watched ids, topics. It is asked for again by a fresh session.

use std::collections::BTreeSet;

use crate::frame::Body;
use crate::terms::Input;

/// The server takes so many names in one request.
const MOST: usize = 256;

/// The names of one kind that a peer wants to hear of.
#[derive(Clone, Debug)]
pub struct Standing {
    add: &'static str,
    remove: &'static str,
    field: &'static str,
    names: BTreeSet<String>,
    kept: usize,
}

impl Standing {
    /// Ids whose presence is watched.
    pub fn watched() -> Self {
        Self::new("watch", "unwatch", "ids")
    }

    /// Topics.
    pub fn topics() -> Self {
        Self::new("subscribe", "unsubscribe", "topics")
    }

    fn new(add: &'static str, remove: &'static str, field: &'static str) -> Self {
        Self { add, remove, field, names: BTreeSet::new(), kept: 0 }
    }

    /// What to ask for these. May be asked twice.
    pub fn asks(&self, names: &[String]) -> Vec<Body> {
        bodies(self.add, self.field, names)
    }

    /// What to ask so as not to hear of these any more. May be asked twice.
    pub fn takes_back(&self, names: &[String]) -> Vec<Body> {
        bodies(self.remove, self.field, names)
    }

    /// The server agreed to these: what the line is told.
    pub fn added(&mut self, names: impl IntoIterator<Item = String>) -> Vec<Input> {
        self.names.extend(names);
        self.stand()
    }

    /// These are not wanted any more: what the line is told.
    pub fn removed(&mut self, names: &[String]) -> Vec<Input> {
        self.names.retain(|name| !names.contains(name));
        self.stand()
    }

    fn stand(&mut self) -> Vec<Input> {
        let all: Vec<String> = self.names.iter().cloned().collect();
        let bodies = self.asks(&all);
        let (before, now) = (self.kept, bodies.len());
        self.kept = now;
        let key = |at: usize| format!("{} {at}", self.add);
        let stands = bodies.into_iter().enumerate().map(|(at, body)| Input::Stand { key: key(at), body });
        stands.chain((now..before).map(|at| Input::Unstand(key(at)))).collect()
    }
}

fn bodies(kind: &str, field: &str, names: &[String]) -> Vec<Body> {
    let body = |names: &[String]| Body::new(&serde_json::json!({"type": kind, field: names})).ok();
    names.chunks(MOST).filter_map(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_by_the_hundred_and_stand_until_they_are_removed() {
        let names: Vec<String> = (0..300).map(|n| format!("{n:03}@example.org")).collect();
        let mut watched = Standing::watched();
        let sizes =
            |bodies: &[Body]| -> Vec<usize> { bodies.iter().map(|body| body.text().matches('@').count()).collect() };
        assert_eq!(sizes(&watched.asks(&names)), [256, 44]);
        assert!(watched.takes_back(&names)[1].text().contains(r#""type":"unwatch""#));
        let keys = |inputs: Vec<Input>| -> Vec<String> {
            let key = |input| match input {
                Input::Stand { key, .. } => format!("+{key}"),
                Input::Unstand(key) => format!("-{key}"),
                other => panic!("{other:?}"),
            };
            inputs.into_iter().map(key).collect()
        };
        assert_eq!(keys(watched.added(names.clone())), ["+watch 0", "+watch 1"]);
        assert_eq!(keys(watched.removed(&names[..100])), ["+watch 0", "-watch 1"]);
        assert_eq!(keys(watched.removed(&names)), ["-watch 0"]);
        assert!(Standing::topics().asks(&[]).is_empty());
    }
}
