//! What goes wrong.

use super::acts::ROOMS;
use super::{Event, World};

impl World<'_> {
    pub(super) fn misfortune(&mut self, client: usize) {
        let plan = self.plan;
        if self.dice.permille(plan.cut) {
            self.cut(client);
        }
        if self.dice.permille(plan.stall)
            && let Some(socket) = self.clients[client].socket
        {
            let until = self.now_ms + self.dice.between(500, 8_000);
            self.stall(socket, until);
        }
        if self.dice.permille(plan.jump) {
            self.wall_offset = self.dice.between(0, 7_200_000) as i64 - 3_600_000;
            self.say(|w| format!("the wall clock is off by {} ms", w.wall_offset));
        }
        if self.dice.permille(plan.operator) {
            self.operate();
        }
        if self.dice.permille(plan.partition) && self.clients[client].is_native() {
            self.part(client);
        }
        let node = self.dice.index(self.nodes.len());
        if self.dice.permille(plan.restart) {
            self.stop(node, true);
        } else if self.dice.permille(plan.crash) {
            self.stop(node, false);
        }
    }

    /// A client comes by another socket. The one it had closes, unless the server has closed it by then.
    pub(super) fn roam(&mut self, client: usize) {
        let Some(socket) = self.clients[client].socket else { return };
        self.judge.counts.roamed += 1;
        self.connect(client, self.clients[client].node);
        let notice = self.dice.below(10_000);
        self.later(notice, Event::ServerNotices { socket });
    }

    /// A client's socket is gone. Either side may hear of it first, or both at once; what is on the wire may be lost or not.
    fn cut(&mut self, client: usize) {
        let Some(socket) = self.clients[client].socket else { return };
        self.say(|_| format!("client {client}: socket {socket} is cut"));
        self.judge.counts.cuts += 1;
        if self.dice.permille(600) {
            self.events.retain(|_, event| !matches!(event, Event::ToServer { socket: s, .. } if *s == socket));
        }
        self.events.retain(|_, event| !matches!(event, Event::ToClient { socket: s, .. } if *s == socket));
        if let Some(wire) = self.wires.get_mut(&socket) {
            wire.is_cut = true;
        }
        let long = if self.dice.permille(200) { 30_000 } else { 4_000 };
        let (sooner, later) = (self.dice.below(200), self.dice.below(long));
        let server_first = self.dice.permille(300);
        let (server, client) = if server_first { (sooner, later) } else { (later, 0) };
        self.later(server, Event::ServerNotices { socket });
        self.later(client, Event::ClientNotices { socket });
    }

    /// The operator ends a session or closes a room.
    fn operate(&mut self) {
        let client = self.dice.index(self.clients.len());
        let (node, now) = (self.clients[client].node, self.now());
        let (person, id) = (self.judge.person(client), self.judge.id(client).to_owned());
        let (ns, device) = (person.ns(), person.device().to_owned());
        let wishes = if self.dice.permille(500) {
            self.nodes[node].remove(now, ns, (&id, &device))
        } else {
            let room = *self.dice.one_of(&ROOMS);
            self.nodes[node].close_room(now, ns, room)
        };
        if let Some(wishes) = wishes {
            self.judge.counts.removed += 1;
            self.say(|_| format!("the operator of server {node} ends a session or a room near client {client}"));
            self.carry_out(node, wishes);
        }
    }

    /// A server stops, in order or not, and is there again after a while.
    fn stop(&mut self, node: usize, in_order: bool) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.say(|_| format!("server {node} {}", if in_order { "stops" } else { "dies" }));
        self.judge.counts.restarts += 1;
        if !in_order {
            self.judge.letters.crashed();
            self.hosts.retain(|(n, ..), _| *n != node);
        }
        self.finish_writing(node, in_order);
        let (now, close_first) = (self.now(), self.dice.permille(500));
        self.nodes[node].stop(now, in_order, close_first);
        self.judge.standing.stopped(self.now_ms, node, in_order);
        let gone: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| wire.node == node).map(|(socket, _)| *socket).collect();
        for socket in gone {
            let wait = self.dice.below(1_000);
            self.wires.remove(&socket);
            self.later(wait, Event::ClientNotices { socket });
        }
        let down = self.dice.below(4_000);
        self.later(down, Event::Starts { node });
    }

    /// Of what the store was to keep, the first so many things got there, answered or not. What it was to forget it forgets, if there
    /// was time.
    fn finish_writing(&mut self, node: usize, in_order: bool) {
        let of_this = |event: &Event| match event {
            Event::Kept { node: n, .. } | Event::Forgotten { node: n, .. } => *n == node,
            _ => false,
        };
        let under_way: Vec<(u64, u64)> =
            self.events.iter().filter(|(_, event)| of_this(event)).map(|(at, _)| *at).collect();
        let mut writing = true;
        for at in under_way {
            match self.events.remove(&at) {
                Some(Event::Kept { keep, .. }) => {
                    writing &= self.dice.permille(700);
                    if writing {
                        if !in_order {
                            self.judge.may_repeat(&keep.record);
                        }
                        self.nodes[node].store.keep(keep);
                    }
                }
                Some(Event::Forgotten { numbers, .. }) => {
                    if in_order || self.dice.permille(500) {
                        self.nodes[node].store.forget(&numbers);
                    }
                    for keep in self.nodes[node].store.kept(&numbers) {
                        self.judge.may_repeat(&keep.record);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn start(&mut self, node: usize) {
        let (now, seeds) = (self.now(), [self.dice.seed(), self.dice.seed()]);
        self.say(|_| format!("server {node} is there again"));
        self.judge.standing.started(self.now_ms, node);
        let wishes = self.nodes[node].start(now, seeds);
        self.carry_out(node, wishes);
        self.look(node);
    }
}
