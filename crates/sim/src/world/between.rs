//! What servers want of each other and of their stores. All of it takes its time, and some of it is lost.

use std::hash::Hasher;

use wigwag_hub::{Carry, CarryStatus, Claimed, Input, Keep, Now, Place, SessionFilter};
use wigwag_wire::code::Code;
use wigwag_wire::{Namespace, PeerId};

use super::wires::ToClient;
use super::{Event, World};
use crate::node::{Claim, Wish};

impl World<'_> {
    pub(super) fn carry_out(&mut self, node: usize, wishes: Vec<Wish>) {
        let process = self.nodes[node].process;
        for wrong in std::mem::take(&mut self.nodes[node].wrong) {
            self.judge.wrong(format!("server {node}: {wrong}"));
        }
        for wish in wishes {
            match wish {
                Wish::Send { socket, frame } => self.toward_client(node, socket, ToClient::Frame(frame)),
                Wish::Mark { socket, count } => self.toward_client(node, socket, ToClient::Ping(count)),
                Wish::Close { socket, code } => self.toward_client(node, socket, ToClient::Close(code)),
                Wish::Claim(claim) => {
                    let delay = self.dice.below(self.plan.store_ms + 1);
                    self.later(delay, Event::Claimed { node, process, claim });
                }
                Wish::Where { ns, id } => {
                    if !self.fails(self.plan.drop) {
                        let delay = self.delay();
                        self.later(delay, Event::Located { node, process, ns, id });
                    }
                }
                Wish::Keep(keep) => {
                    self.trace.write(&keep.record);
                    let at = self.storing[node].max(self.now_ms + self.dice.below(self.plan.store_ms + 1));
                    self.storing[node] = at;
                    self.at(at, Event::Kept { node, process, keep });
                }
                Wish::Forget(numbers) => {
                    let delay = self.dice.below(self.plan.store_ms + 1);
                    self.later(delay, Event::Forgotten { node, process, numbers });
                }
                Wish::Carry(carry) => {
                    let to = carry.place.0 as usize;
                    if !self.fails(self.plan.drop) {
                        let at = self.between_at(node, to);
                        self.at(at, Event::Arrives { from: node, process, carry });
                    }
                }
                Wish::Receipt { ticket, status } => {
                    let to = self.tickets.get(&ticket).map_or(node, |(from, ..)| *from);
                    if !self.fails(self.plan.drop) {
                        let at = self.between_at(node, to);
                        self.at(at, Event::Receipt { ticket, status });
                    }
                }
            }
        }
    }

    pub(super) fn claimed(&mut self, node: usize, process: u64, claim: &Claim) {
        if self.nodes[node].process != process || !self.nodes[node].is_up() {
            return;
        }
        let claimed = match self.fails(self.plan.store_fails) {
            true => Claimed::No(Code::StoreUnavailable),
            false => self.nodes[node].store.claim(claim),
        };
        let now = self.now();
        let wishes = self.nodes[node].claimed(now, claim.socket, claimed);
        self.carry_out(node, wishes);
    }

    /// A signal is at the store. If the process that asked stopped meanwhile, it may have got there or not.
    pub(super) fn kept(&mut self, node: usize, process: u64, keep: Keep) {
        let ok = !self.fails(self.plan.store_fails);
        let there = self.nodes[node].process == process && self.nodes[node].is_up();
        let input = Input::Kept { number: keep.number, ns: keep.ns.clone(), to: keep.to.clone(), ok };
        if ok && there {
            self.nodes[node].store.keep(keep);
            self.judge.counts.stored += 1;
        }
        if there {
            let now = self.now();
            let wishes = self.nodes[node].input(now, input);
            self.carry_out(node, wishes);
        }
    }

    pub(super) fn located(&mut self, node: usize, process: u64, ns: Namespace, id: PeerId) {
        if self.nodes[node].process == process && self.nodes[node].is_up() {
            let place = self.whereabouts(node, &ns, &id);
            let now = self.now();
            let wishes = self.nodes[node].input(now, Input::Where { ns, id, place });
            self.carry_out(node, wishes);
        }
    }

    pub(super) fn arrives(&mut self, now: Now, from: usize, process: u64, carry: Carry) {
        let to = carry.place.0 as usize;
        if !self.nodes[to].is_up() {
            return;
        }
        self.judge.carried(&carry.record);
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, (from, process, carry.clone()));
        let input = Input::Arrived { ticket, ns: carry.ns, to: carry.to, record: &carry.record };
        let wishes = self.nodes[to].input(now, input);
        self.carry_out(to, wishes);
    }

    pub(super) fn receipt(&mut self, now: Now, ticket: u64, status: CarryStatus) {
        let Some((node, process, carry)) = self.tickets.remove(&ticket) else { return };
        if self.nodes[node].process == process && self.nodes[node].is_up() {
            let input = Input::Carried { ticket: carry.ticket, ns: carry.ns, to: carry.to, status };
            let wishes = self.nodes[node].input(now, input);
            self.carry_out(node, wishes);
        }
    }

    /// Another server where the id has a session, best one with a socket.
    fn whereabouts(&self, asking: usize, ns: &Namespace, id: &PeerId) -> Option<Place> {
        let filter = SessionFilter { ns: Some(ns.clone()), id: Some(id.clone()) };
        let others = self.nodes.iter().enumerate().filter(|(node, it)| *node != asking && it.is_up());
        let known = others.flat_map(|(node, it)| {
            it.hub.sessions(&filter, None, usize::MAX).into_iter().map(move |session| (session.connected, node))
        });
        known.max().map(|(_, node)| Place(node as u64))
    }

    /// When something from one server is at another.
    fn between_at(&mut self, from: usize, to: usize) -> u64 {
        let at = self.now_ms + self.delay();
        let last = self.between.entry((from, to)).or_default();
        *last = at.max(*last);
        *last
    }
}
