//! The part of a server that the hub needs: carries outputs out, and answers what is asked from a small store.

use std::collections::{BTreeMap, VecDeque};

use wigwag_hub::{Ask, Claimed, Input, Keep, Naming, Note, Output, Outputs, Received, SocketId};
use wigwag_wire::limits::is_full;
use wigwag_wire::request::NameOp;
use wigwag_wire::{Code, Limits, Namespace, PeerId, PublicKey};

use super::World;

/// Outputs and notes of one input.
#[derive(Default)]
pub struct Shell {
    pub outputs: VecDeque<Output>,
    pub notes: Vec<Note>,
}

impl Outputs for Shell {
    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }
}

/// Names with their keys, and signals that were kept.
#[derive(Default)]
pub struct Store {
    names: BTreeMap<(Namespace, PeerId), Vec<PublicKey>>,
    kept: BTreeMap<u64, Keep>,
    /// Whether its disk fails.
    pub broken: bool,
    /// Whether it takes its time: asks wait in [`World::outputs`] until [`World::answer`].
    pub slow: bool,
}

impl Store {
    /// What was kept and not forgotten, oldest number first.
    pub fn kept(&self) -> Vec<Keep> {
        self.kept.values().cloned().collect()
    }

    /// Keeps a signal, whoever wants it.
    pub fn put(&mut self, keep: Keep) {
        self.kept.insert(keep.number, keep);
    }

    /// The keys that speak for a name.
    pub fn keys(&self, ns: &str, name: &str) -> &[PublicKey] {
        let owner = (Namespace::new(ns).unwrap(), PeerId::new(name).unwrap());
        self.names.get(&owner).map(Vec::as_slice).unwrap_or_default()
    }

    /// The operator frees a name.
    pub fn forget_name(&mut self, ns: &str, name: &str) {
        self.names.remove(&(Namespace::new(ns).unwrap(), PeerId::new(name).unwrap()));
    }

    fn is_bound(&self, ns: &Namespace, name: &PeerId) -> bool {
        self.names.get(&(ns.clone(), name.clone())).is_some_and(|keys| !keys.is_empty())
    }

    fn claim(&mut self, limits: &Limits, ns: Namespace, name: PeerId, key: PublicKey) -> Claimed {
        let names = self.names.values().filter(|keys| keys.contains(&key)).count();
        let keys = self.names.entry((ns, name)).or_default();
        match keys.contains(&key) {
            _ if self.broken => Claimed::No(Code::StoreUnavailable),
            true => Claimed::Yes,
            false if !keys.is_empty() => Claimed::No(Code::NameTaken),
            false if is_full(names, limits.names_per_key) => Claimed::No(Code::TooManyNames),
            false => {
                keys.push(key);
                Claimed::Yes
            }
        }
    }

    fn change(&mut self, limits: &Limits, naming: &Naming) -> Result<(), Code> {
        let Naming { who, acting, op, key, .. } = naming;
        if self.broken {
            return Err(Code::StoreUnavailable);
        }
        let keys = self.names.entry((who.ns.clone(), who.id.clone())).or_default();
        if !keys.contains(acting) {
            return Err(Code::NotAllowed);
        }
        match op {
            NameOp::Add if !keys.contains(key) && is_full(keys.len(), limits.keys_per_name) => {
                return Err(Code::TooManyKeys);
            }
            NameOp::Remove if !keys.contains(key) => return Err(Code::NotFound),
            NameOp::Remove => keys.retain(|k| k != key),
            NameOp::Add | NameOp::Rotate => {
                keys.retain(|k| k != key && (*op == NameOp::Add || k != acting));
                keys.push(*key);
            }
        }
        Ok(())
    }
}

impl World {
    pub(super) fn shell(&self) -> Shell {
        Shell::default()
    }

    /// Does everything that one input led to, and what follows from that.
    pub(super) fn carried(&mut self, shell: Shell) {
        self.notes.extend(shell.notes);
        self.carry_out(shell.outputs);
    }

    pub fn carry_out(&mut self, outputs: impl IntoIterator<Item = Output>) {
        let (mut asks, mut closed) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                Output::Send { socket, frame } => {
                    let known = self.sockets.get_mut(&socket).expect("a frame for a socket that there is");
                    assert!(
                        known.connection.is_some() && !closed.contains(&socket),
                        "a frame after the close of {socket:?}"
                    );
                    known.inbox.push_back(frame);
                    self.sent.push(socket);
                }
                Output::Mark { socket, count } => {
                    self.sockets.get_mut(&socket).expect("a known socket").marks.push(count);
                }
                Output::Close { socket, code, reason } => {
                    let known = self.sockets.get_mut(&socket).expect("a known socket");
                    assert!(known.closed.is_none(), "{socket:?} is closed twice");
                    known.closed = Some((code, reason));
                    closed.push(socket);
                }
                Output::Ask(ask @ (Ask::Claim { .. } | Ask::Name(_) | Ask::Keep(_))) if !self.store.slow => {
                    asks.push(ask);
                }
                Output::Forget(numbers) => {
                    for number in &numbers {
                        self.store.kept.remove(number);
                    }
                }
                other => self.outputs.push(other),
            }
        }
        for socket in closed {
            self.receive(socket, Received::Closed);
            self.sockets.get_mut(&socket).expect("a known socket").connection = None;
        }
        for ask in asks {
            self.answer(ask);
        }
    }

    /// Answers the oldest ask that waits, as the store stands now.
    #[track_caller]
    pub fn answer_next(&mut self) {
        let at = self.outputs.iter().position(|o| matches!(o, Output::Ask(_))).expect("an ask that waits");
        let Output::Ask(ask) = self.outputs.remove(at) else { unreachable!() };
        self.answer(ask);
    }

    /// Answers the oldest ask that waits; `false` where none does.
    pub fn take_ask(&mut self) -> bool {
        self.take_ask_that(|_| true)
    }

    /// Answers the oldest claim of a name that waits; `false` where none does.
    pub fn next_claim(&mut self) -> bool {
        self.take_ask_that(|ask| matches!(ask, Ask::Claim { .. }))
    }

    fn take_ask_that(&mut self, wanted: impl Fn(&Ask) -> bool) -> bool {
        let found = self.outputs.iter().position(|o| matches!(o, Output::Ask(ask) if wanted(ask)));
        let Some(Output::Ask(ask)) = found.map(|at| self.outputs.remove(at)) else { return false };
        self.answer(ask);
        true
    }

    /// Answers one ask.
    pub fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Claim { socket, ns, name, key } => {
                let claimed = self.store.claim(&self.rules.limits, ns, name, key);
                self.receive_if_open(socket, Received::Claimed(claimed));
            }
            Ask::Free { socket, ns, name } => {
                let taken = self.store.is_bound(&ns, &name);
                let free = if taken { Claimed::No(Code::NameTaken) } else { Claimed::Yes };
                self.receive_if_open(socket, Received::Claimed(free));
            }
            Ask::Name(naming) => {
                let result = self.store.change(&self.rules.limits, &naming);
                self.input(Input::Named { naming, result });
            }
            Ask::Keep(keep) => {
                let (number, ns, to, ok) = (keep.number, keep.ns.clone(), keep.to.clone(), !self.store.broken);
                if ok {
                    self.store.kept.insert(number, keep);
                }
                self.input(Input::Kept { number, ns, to, ok });
            }
            Ask::Where { ns, id } => self.input(Input::Where { ns, id, place: None }),
        }
    }

    fn receive_if_open(&mut self, socket: SocketId, received: Received<'_>) {
        if self.sockets[&socket].connection.is_some() {
            self.receive(socket, received);
            self.hand_in(socket);
        }
    }
}
