//! The wires between clients and servers. Each keeps the order in both directions, and each may be cut.

use std::hash::Hasher;

use bytes::Bytes;
use wigwag_hub::Now;
use wigwag_peer::{Input, SocketId};

use super::{Event, World};
use crate::client::Manner;
use crate::node::{Node, Wish};

/// What is under way to a client.
pub(super) enum ToClient {
    Frame(Bytes),
    Ping(u64),
    Close(u16),
}

/// One wire.
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) node: usize,
    pub(super) process: u64,
    /// Nothing that is sent from now on gets through.
    pub(super) is_cut: bool,
    to_server_at: u64,
    to_client_at: u64,
}

impl World<'_> {
    /// A wire from a client to a server that is there.
    pub(super) fn open_wire(&mut self, client: usize, node: usize) -> u64 {
        self.next_socket += 1;
        let (socket, now) = (self.next_socket, self.now_ms);
        let process = self.nodes[node].process;
        self.wires.insert(socket, Wire { client, node, process, is_cut: false, to_server_at: now, to_client_at: now });
        let at = self.next_at_server(socket);
        self.at(at, Event::Opens { node, socket });
        socket
    }

    pub(super) fn connect(&mut self, client: usize, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        let now = self.now_ms;
        let manner = match () {
            () if self.fails(self.plan.mute) => Manner::Mute,
            () if self.fails(self.plan.lie) => *self.dice.one_of(&[Manner::WrongToken, Manner::WrongCount]),
            () => Manner::Honest,
        };
        let socket = self.open_wire(client, node);
        self.clients[client].connected(now, node, socket, manner, &mut self.judge);
        self.say(|_| format!("client {client} connects to server {node} by socket {socket}, {manner:?}"));
    }

    pub(super) fn opens(&mut self, node: usize, socket: u64) {
        let Some(wire) = self.wires.get(&socket).filter(|wire| wire.process == self.nodes[node].process) else {
            return;
        };
        let address = self.judge.person(wire.client).address;
        let now = self.now();
        let wishes = self.nodes[node].open(now, socket, address);
        self.carry_out(node, wishes);
    }

    /// Something reaches a server by a socket, if the process that had it is still there.
    pub(super) fn at_node(&mut self, socket: u64, act: impl FnOnce(&mut Node, Now) -> Vec<Wish>) {
        let now = self.now();
        let Some(wire) = self.wires.get(&socket) else { return };
        let node = wire.node;
        if self.nodes[node].process != wire.process || !self.nodes[node].is_up() {
            return;
        }
        let wishes = act(&mut self.nodes[node], now);
        self.carry_out(node, wishes);
        self.look(node);
    }

    pub(super) fn at_client(&mut self, socket: u64, what: ToClient) {
        let Some(client) = self.wires.get(&socket).map(|wire| wire.client) else { return };
        if let Some(own) = self.clients[client].own_name(socket) {
            return self.at_native(client, own, socket, what);
        }
        let current = self.clients[client].socket == Some(socket) && !self.clients[client].is_native();
        match what {
            // The server is done with it, and so is the client's side of the wire.
            ToClient::Close(code) => {
                self.say(|_| format!("  {socket} closed with {code}"));
                if current {
                    self.closed_with(client, code);
                    self.clients[client].disconnected();
                }
                let at = self.next_at_server(socket);
                self.at(at, Event::ServerNotices { socket });
            }
            _ if !current => {}
            ToClient::Frame(frame) => {
                self.judge.counts.frames += 1;
                let frame = String::from_utf8_lossy(&frame).into_owned();
                self.say(|_| format!("  {socket} < {frame}"));
                let now = self.now_ms;
                for answer in self.clients[client].frame(now, &frame, &mut self.judge) {
                    self.send(socket, answer);
                }
            }
            ToClient::Ping(count) => {
                let at = self.next_at_server(socket);
                self.at(at, Event::Pong { socket, count });
            }
        }
    }

    fn at_native(&mut self, client: usize, own: SocketId, socket: u64, what: ToClient) {
        match what {
            ToClient::Close(code) => {
                self.say(|_| format!("  {socket} closed with {code}"));
                self.closed_with(client, code);
                let at = self.next_at_server(socket);
                self.at(at, Event::ServerNotices { socket });
                self.tell_native(client, Input::Lost { socket: own, code, reason: String::new() });
            }
            ToClient::Frame(frame) => {
                self.judge.counts.frames += 1;
                let text = String::from_utf8_lossy(&frame).into_owned();
                self.say(|_| format!("  {socket} < {text}"));
                self.tell_native(client, Input::Text { socket: own, text });
            }
            ToClient::Ping(count) => {
                let at = self.next_at_server(socket);
                self.at(at, Event::Pong { socket, count });
            }
        }
    }

    /// What a server wants to go to a client, and what that means for presence.
    pub(super) fn toward_client(&mut self, node: usize, socket: u64, what: ToClient) {
        let now = self.now_ms;
        let Some(client) = self.wires.get(&socket).map(|wire| wire.client) else { return };
        self.trace.write(&[now.to_le_bytes(), socket.to_le_bytes()].concat());
        match &what {
            ToClient::Frame(frame) => {
                self.trace.write(frame);
                self.look_at(node, client, socket, frame);
            }
            ToClient::Ping(count) => self.trace.write_u64(*count),
            ToClient::Close(code) => {
                self.trace.write_u16(*code);
                match code {
                    4000..=4099 | 4300 => self.judge.standing.detached(now, node, socket),
                    _ => self.judge.standing.ended(now, node, socket),
                }
            }
        }
        let delay = self.delay();
        let Some(wire) = self.wires.get_mut(&socket).filter(|wire| !wire.is_cut) else { return };
        wire.to_client_at = wire.to_client_at.max(now + delay);
        let at = wire.to_client_at;
        self.at(at, Event::ToClient { socket, what });
    }

    pub(super) fn send(&mut self, socket: u64, text: String) {
        let at = self.next_at_server(socket);
        if self.wires.get(&socket).is_some_and(|wire| !wire.is_cut) {
            self.at(at, Event::ToServer { socket, text });
        }
    }

    /// When something that a client sends now is at its server.
    pub(super) fn next_at_server(&mut self, socket: u64) -> u64 {
        let delay = self.delay();
        let now = self.now_ms;
        let Some(wire) = self.wires.get_mut(&socket) else { return now };
        wire.to_server_at = wire.to_server_at.max(now + delay);
        wire.to_server_at
    }

    /// Whether a client has a socket that still carries.
    pub(super) fn is_wired(&self, client: usize) -> bool {
        let wire = self.clients[client].socket.and_then(|socket| self.wires.get(&socket));
        wire.is_some_and(|wire| !wire.is_cut)
    }

    /// A client reads nothing for a while.
    pub(super) fn stall(&mut self, socket: u64, until: u64) {
        if let Some(wire) = self.wires.get_mut(&socket) {
            wire.to_client_at = wire.to_client_at.max(until);
        }
    }

    pub(super) fn server_notices(&mut self, socket: u64) {
        if let Some(node) = self.wires.get(&socket).map(|wire| wire.node) {
            let now = self.now_ms;
            let there = self.wires.get(&socket).is_some_and(|wire| wire.process == self.nodes[node].process);
            if there {
                self.judge.standing.detached(now, node, socket);
            }
            self.at_node(socket, |node, now| node.closed(now, socket));
        }
        self.wires.remove(&socket);
    }

    pub(super) fn client_notices(&mut self, socket: u64) {
        let native = self.clients.iter().enumerate().find_map(|(at, client)| Some((at, client.own_name(socket)?)));
        if let Some((client, own)) = native {
            return self.tell_native(client, Input::Lost { socket: own, code: 0, reason: String::new() });
        }
        for client in self.clients.iter_mut().filter(|client| client.socket == Some(socket)) {
            client.disconnected();
        }
    }

    /// A close that a client which keeps to the protocol may get on the socket that it has.
    fn closed_with(&mut self, client: usize, code: u16) {
        match code {
            4002 => self.judge.counts.slow += 1,
            4004 => self.judge.counts.late += 1,
            1000 | 1013 | 4000 | 4101 => {}
            4301 if self.plan.operator > 0 => {}
            _ => self.judge.wrong(format!("client {client} was closed with {code}")),
        }
    }
}
