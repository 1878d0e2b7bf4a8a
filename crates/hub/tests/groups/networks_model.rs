//! Networks under random schedules: whatever happens, what a node was told adds up to what is, and nothing is told twice.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::table::{Sock, Table};

const PEERS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Join(usize, u8),
    Leave(usize),
    Beat(usize),
    Role(usize, usize, u8),
    Bye(usize),
    Pass(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let peer = 0..PEERS;
    prop_oneof![
        6 => (peer.clone(), 0..3u8).prop_map(|(p, me)| Step::Join(p, me)),
        4 => peer.clone().prop_map(Step::Leave),
        2 => peer.clone().prop_map(Step::Beat),
        2 => (peer.clone(), peer.clone(), 0..3u8).prop_map(|(p, of, role)| Step::Role(p, of, role)),
        1 => peer.prop_map(Step::Bye),
        4 => (1..150u64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn what_each_node_was_told_adds_up_to_what_is(steps in prop::collection::vec(step(), 1..80)) {
        let mut table = Play::new();
        for step in &steps {
            table.apply(step);
            table.read();
        }
        table.w.pass(1_000);
        table.read();
        for view in table.views.iter().flatten() {
            prop_assert_eq!(view, &table.truth);
        }
    }
}

/// What a node knows of another: its metadata and its roles.
type Known = (Value, Value);

struct Play {
    w: Table,
    sockets: Vec<Sock>,
    truth: BTreeMap<String, Known>,
    /// What each node was told; nothing for who is in no network.
    views: Vec<Option<BTreeMap<String, Known>>>,
    /// When each node was last told changes.
    told: Vec<Option<u64>>,
}

impl Play {
    fn new() -> Self {
        let mut w = Table::with(|r| r.limits.frames_per_second = 0);
        let sockets = (0..PEERS).map(|p| w.open(&id(p))).collect();
        Self { w, sockets, truth: BTreeMap::new(), views: vec![None; PEERS], told: vec![None; PEERS] }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Join(p, me) => {
                let roles = self.truth.get(&id(p)).map_or(Value::Null, |known| known.1.clone());
                self.truth.insert(id(p), (json!(me), roles));
                self.views[p].get_or_insert_default();
                self.w.send(self.sockets[p], &json!({"type": "network.join", "network": "net", "me": me}));
            }
            Step::Leave(p) => {
                self.gone(p);
                self.w.send(self.sockets[p], &json!({"type": "network.leave", "network": "net"}));
            }
            Step::Beat(p) => self.w.send(self.sockets[p], &json!({"type": "beat", "network": "net"})),
            Step::Role(p, of, role) => {
                let roles = if role == 0 { json!([]) } else { json!([format!("r{role}")]) };
                if self.truth.contains_key(&id(p))
                    && let Some(known) = self.truth.get_mut(&id(of))
                {
                    known.1 = if role == 0 { Value::Null } else { roles.clone() };
                }
                let request = json!({"type": "role", "network": "net", "id": id(of), "roles": roles});
                self.w.send(self.sockets[p], &request);
            }
            Step::Bye(p) => {
                self.gone(p);
                self.w.send(self.sockets[p], &json!({"type": "bye"}));
                self.read();
                self.w.expect(&[(self.sockets[p], json!({"close": 1000}))]);
                self.sockets[p] = self.w.open(&id(p));
            }
            Step::Pass(ms) => self.w.pass(ms),
            Step::Restart => {
                self.w.restart(50);
                self.told = vec![None; PEERS];
                self.sockets = self.sockets.clone().into_iter().map(|old| self.w.resume(old)).collect();
            }
        }
    }

    fn gone(&mut self, p: usize) {
        self.truth.remove(&id(p));
        self.views[p] = None;
    }

    /// Every node takes in what it was told, and finds nothing in it that it knew.
    fn read(&mut self) {
        for p in 0..PEERS {
            for frame in self.w.take(self.sockets[p]) {
                self.take_in(p, &frame);
            }
        }
    }

    fn take_in(&mut self, p: usize, frame: &Value) {
        let now = self.w.world.now.at.0;
        let Some(view) = self.views[p].as_mut() else {
            assert!(matches!(frame["type"].as_str(), Some("error") | None), "{p} is no node: {frame}");
            return;
        };
        match frame["type"].as_str() {
            Some("network.joined") => *view = frame["nodes"].as_array().unwrap().iter().map(read_node).collect(),
            Some("network.nodes") => {
                let gap = self.told[p].replace(now).map(|last| now - last);
                assert!(gap.is_none_or(|gap| gap >= 200), "{p} is told again after {gap:?} ms");
                for (name, known) in list(frame, "joined").iter().map(read_node) {
                    assert_ne!(name, id(p), "{p} is told of itself: {frame}");
                    view.insert(name, known);
                }
                for gone in list(frame, "left") {
                    assert!(view.remove(gone["id"].as_str().unwrap()).is_some(), "{p} did not know: {frame}");
                }
                assert_eq!(frame["count"], view.len(), "{p}: {frame}");
            }
            Some("role") => {
                if let Some(known) = view.get_mut(frame["id"].as_str().unwrap()) {
                    known.1 = if frame["roles"] == json!([]) { Value::Null } else { frame["roles"].clone() };
                }
            }
            Some("beats") => {
                let from = list(frame, "from");
                assert!(!from.is_empty() && from.iter().all(|node| node["id"] != id(p)), "{p}: {frame}");
            }
            other => assert_eq!(other, Some("error"), "{frame}"),
        }
    }
}

fn id(p: usize) -> String {
    format!("p{p}@x")
}

fn read_node(node: &Value) -> (String, Known) {
    (node["id"].as_str().unwrap().to_owned(), (node["me"].clone(), node["roles"].clone()))
}

fn list<'a>(frame: &'a Value, field: &str) -> &'a [Value] {
    frame[field].as_array().map_or(&[], Vec::as_slice)
}
