//! Carries out what the hub wants done.

use std::sync::Arc;

use wigwag_hub::{Ask, CarryStatus, Claimed, DialectId, Frame, Input, Keep, Naming, Note, Output, Outputs, SocketId};
use wigwag_wire::code::Code;
use wigwag_wire::request::NameOp;
use wigwag_wire::{Namespace, PeerId};

use super::Driver;
use super::socket::Mail;
use crate::net::Batch;
use crate::store::{Claim, KeyChange, StoreError, StoredSignal};

/// The outputs of one wake-up. Frames are queued at once; questions are asked when no lock is held any more.
pub(super) struct Carrier<'a, 'b> {
    driver: &'a Arc<Driver>,
    batch: &'a mut Batch<'b, Mail>,
    outside: Vec<Outside>,
}

/// What the world outside is asked or told.
enum Outside {
    Ask(Ask),
    Forget(Vec<u64>),
    Nowhere { ticket: u64, ns: Namespace, to: PeerId },
}

impl<'a, 'b> Carrier<'a, 'b> {
    pub(super) fn new(driver: &'a Arc<Driver>, batch: &'a mut Batch<'b, Mail>) -> Self {
        Self { driver, batch, outside: Vec::new() }
    }

    /// Asks what is to be asked. No lock of the hub may be held.
    pub(super) fn finish(self) {
        for outside in self.outside {
            match outside {
                Outside::Ask(ask) => self.driver.ask(ask),
                Outside::Forget(numbers) => self.driver.store.delete_signals(&numbers),
                Outside::Nowhere { ticket, ns, to } => {
                    self.driver.handle(Input::Carried { ticket, ns, to, status: CarryStatus::Absent });
                }
            }
        }
    }
}

impl Outputs for Carrier<'_, '_> {
    fn emit(&mut self, output: Output) {
        match output {
            Output::Send { socket, frame } => self.send(socket, Frame::Shared(&frame)),
            Output::Mark { socket, count } => {
                self.batch.ping(socket, count.to_string().as_bytes());
            }
            Output::Close { socket, code, reason } => {
                self.batch.close(socket, code, reason);
            }
            Output::Ask(ask) => self.outside.push(Outside::Ask(ask)),
            Output::Forget(numbers) => self.outside.push(Outside::Forget(numbers)),
            // A server of its own has no other places: what is for one of them finds nobody.
            Output::Carry(carry) => {
                self.outside.push(Outside::Nowhere { ticket: carry.ticket, ns: carry.ns, to: carry.to });
            }
            Output::Receipt { .. } => {}
        }
    }

    fn send(&mut self, socket: SocketId, frame: Frame<'_>) {
        self.batch.send(socket, &frame);
    }

    fn note(&mut self, note: Note) {
        let metrics = &self.driver.metrics;
        match note {
            Note::Request(DialectId::NATIVE, place) => metrics.native_in.count(place),
            Note::Event(DialectId::NATIVE, place) => metrics.native_out.count(place),
            Note::Request(dialect, place) => metrics.dialects.heard(dialect, place),
            Note::Event(dialect, place) => metrics.dialects.told(dialect, place),
            Note::Refused(code) => metrics.refused.count(code),
            Note::Relayed(bytes) => {
                metrics.relayed_frames.inc_by(1);
                metrics.relayed_bytes.inc_by(bytes.into());
            }
            Note::Resumed(_) => {
                metrics.resumed.inc();
            }
            Note::Began | Note::Ended => {}
        }
    }
}

impl Driver {
    fn ask(self: &Arc<Self>, ask: Ask) {
        let driver = Arc::clone(self);
        match ask {
            Ask::Claim { socket, ns, name, key } => {
                tokio::spawn(async move {
                    let limit = driver.hub.rules().limits.names_per_key;
                    let claim = driver.store.claim(&ns, &name, &key, limit).await;
                    driver.post(socket, Mail::Claimed(claimed(claim)));
                });
            }
            Ask::Free { socket, ns, name } => {
                tokio::spawn(async move {
                    let free = match driver.store.keys(&ns, &name).await {
                        Ok(keys) if keys.is_empty() => Claimed::Yes,
                        Ok(_) => Claimed::No(Code::NameTaken),
                        Err(_) => Claimed::No(Code::StoreUnavailable),
                    };
                    driver.post(socket, Mail::Claimed(free));
                });
            }
            Ask::Name(naming) => {
                tokio::spawn(async move {
                    let result = driver.change_name(&naming).await;
                    driver.handle(Input::Named { naming, result });
                });
            }
            // There is nowhere else: the hub of a server of its own does not even ask.
            Ask::Where { ns, id } => {
                tokio::spawn(async move { driver.handle(Input::Where { ns, id, place: None }) });
            }
            Ask::Keep(keep) => {
                tokio::spawn(async move {
                    let (number, ns, to) = (keep.number, keep.ns.clone(), keep.to.clone());
                    let ok = driver.store.append_signal(stored(keep)).await.is_ok();
                    driver.handle(Input::Kept { number, ns, to, ok });
                });
            }
        }
    }

    async fn change_name(&self, naming: &Naming) -> Result<(), Code> {
        let limits = &self.hub.rules().limits;
        let Naming { who, acting, op, key, .. } = naming;
        let (ns, name) = (&who.ns, &who.id);
        let changed = match op {
            NameOp::Add => self.store.add_key(ns, name, acting, key, limits.keys_per_name).await,
            NameOp::Rotate => self.store.rotate(ns, name, acting, key).await,
            NameOp::Remove => self.store.remove_key(ns, name, acting, key).await,
        };
        match (changed, op) {
            (Ok(KeyChange::Done), _) | (Ok(KeyChange::Nothing), NameOp::Add) => Ok(()),
            (Ok(KeyChange::Nothing), NameOp::Remove) => Err(Code::NotFound),
            // A key cannot take its own place.
            (Ok(KeyChange::Nothing), NameOp::Rotate) => Err(Code::BadField),
            (Ok(KeyChange::NotBound), _) => Err(Code::NotAllowed),
            (Ok(KeyChange::TooMany), _) => Err(Code::TooManyKeys),
            (Err(_), _) => Err(Code::StoreUnavailable),
        }
    }

    pub(super) fn post(&self, socket: SocketId, mail: Mail) {
        // A socket that is gone needs no answer.
        let _ = self.sockets.post(socket, mail);
    }
}

fn claimed(claim: Result<Claim, StoreError>) -> Claimed {
    match claim {
        Ok(Claim::Bound | Claim::Mine) => Claimed::Yes,
        Ok(Claim::Taken) => Claimed::No(Code::NameTaken),
        Ok(Claim::TooMany) => Claimed::No(Code::TooManyNames),
        Err(_) => Claimed::No(Code::StoreUnavailable),
    }
}

fn stored(keep: Keep) -> StoredSignal {
    StoredSignal {
        id: keep.number,
        ns: keep.ns,
        to: keep.to,
        device: None,
        expires_ms: keep.expires.0,
        body: keep.record.to_vec(),
    }
}
