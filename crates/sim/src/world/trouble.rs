//! What clients do, and what goes wrong.

use serde_json::json;

use super::{Event, Wire, World};

const ROOMS: [&str; 3] = ["den", "attic", "cellar"];

impl World<'_> {
    /// One client does something, and will do something again.
    pub(super) fn act(&mut self, client: usize) {
        if self.resting {
            return;
        }
        let pause = self.dice.between(1, 2 * self.plan.act_ms);
        self.later(pause, Event::Acts { client });
        self.misfortune(client);
        if self.clients[client].socket.is_none() {
            let node = self.dice.index(self.nodes.len());
            self.connect(client, node);
        } else if self.clients[client].ready {
            self.ask(client);
        }
    }

    pub(super) fn connect(&mut self, client: usize, node: usize) {
        self.next_socket += 1;
        let (socket, now) = (self.next_socket, self.now_ms);
        let process = self.nodes[node].process;
        self.wires.insert(socket, Wire { client, node, process, to_server_at: now, to_client_at: now });
        self.clients[client].connected(node, socket);
        let at = self.to_server_at(socket);
        self.at(at, Event::Opens { node, socket });
    }

    fn misfortune(&mut self, client: usize) {
        let plan = self.plan;
        if self.dice.permille(plan.cut) {
            self.cut(client);
        }
        if self.dice.permille(plan.stall)
            && let Some(socket) = self.clients[client].socket
        {
            let until = self.now_ms + self.dice.between(500, 8_000);
            if let Some(wire) = self.wires.get_mut(&socket) {
                wire.to_client_at = wire.to_client_at.max(until);
            }
        }
        if self.dice.permille(plan.jump) {
            self.wall_offset += self.dice.between(0, 7_200_000) as i64 - 3_600_000;
            self.say(|w| format!("the wall clock is off by {} ms", w.wall_offset));
        }
        let node = self.dice.index(self.nodes.len());
        if self.dice.permille(plan.restart) {
            self.restart(node, true);
        } else if self.dice.permille(plan.crash) {
            self.restart(node, false);
        }
    }

    /// A client's socket is gone: what is on the wire is lost, and the server hears of it sooner or later.
    fn cut(&mut self, client: usize) {
        let Some(socket) = self.clients[client].socket else { return };
        self.say(|_| format!("client {client}: socket {socket} is cut"));
        self.counts.cuts += 1;
        self.clients[client].disconnected();
        self.events.retain(|_, event| !matches!(event, Event::ToServer { socket: s, .. } if *s == socket));
        let notice = self.dice.below(4_000);
        self.later(notice, Event::ServerNotices { socket });
    }

    fn restart(&mut self, node: usize, in_order: bool) {
        self.say(|_| format!("server {node} {}", if in_order { "restarts" } else { "dies" }));
        self.counts.restarts += 1;
        let seed = self.dice.seed();
        let (now, nodes) = (self.now(), self.nodes.len());
        if !in_order {
            self.book.crashed();
            for client in &mut self.clients {
                client.crash_seen = true;
            }
            self.hosts.retain(|(n, ..), _| *n != node);
        }
        let wishes = self.nodes[node].restart(now, nodes, seed, in_order);
        let gone: Vec<u64> = self.wires.iter().filter(|(_, w)| w.node == node).map(|(s, _)| *s).collect();
        for socket in gone {
            if let Some(wire) = self.wires.remove(&socket)
                && self.clients[wire.client].socket == Some(socket)
            {
                self.clients[wire.client].disconnected();
            }
        }
        self.carry_out(node, wishes);
    }

    fn ask(&mut self, client: usize) {
        let other = self.dice.index(self.clients.len());
        let target = self.clients[other].id.clone();
        let room = ROOMS[self.dice.index(ROOMS.len())];
        let term = self.clients[client].rooms.get(room).map_or(0, |view| view.term);
        let request = match (self.dice.below(100), target) {
            (0..60, Some(to)) if other != client => return self.signal(client, &to),
            (60..68, Some(id)) => {
                self.clients[client].watching.entry(id.clone()).or_default();
                json!({"type": "watch", "ids": [id]})
            }
            (68..70, Some(id)) => {
                self.clients[client].watching.remove(&id);
                json!({"type": "unwatch", "ids": [id]})
            }
            (70..72, Some(id)) => json!({"type": "find", "id": id}),
            (72..80, _) => json!({"type": "room.join", "room": room, "create": true}),
            (80..83, _) => {
                self.clients[client].leaves(room);
                json!({"type": "room.leave", "room": room})
            }
            (83..90, _) => json!({"type": "say", "room": room, "data": {"from": client}}),
            (90..94, Some(id)) => json!({"type": "room.transfer", "room": room, "term": term, "id": id}),
            (94..96, Some(id)) => json!({"type": "room.kick", "room": room, "term": term, "id": id}),
            (96, _) => return self.bye(client),
            _ => json!({"type": "room.me", "room": room, "me": {"at": self.now_ms}}),
        };
        let (_, text) = self.clients[client].request(request);
        self.say_to(client, text);
    }

    fn signal(&mut self, client: usize, to: &str) {
        let burst = if self.dice.permille(100) { self.dice.between(2, 30) } else { 1 };
        for _ in 0..burst {
            let store = if self.nodes.len() == 1 && self.dice.permille(300) { 86_400 } else { 0 };
            let mut request = json!({"type": "signal", "to": to, "kind": "candidate", "data": {"s": client}});
            if store > 0 {
                request["store"] = json!(store);
            }
            let (n, _) = self.clients[client].request(request.clone());
            request["data"]["n"] = json!(n);
            request["n"] = json!(n);
            let text = request.to_string();
            self.clients[client].rewrite(n, &text);
            self.book.sent(client, n, store > 0);
            self.say_to(client, text);
        }
    }

    pub(super) fn bye(&mut self, client: usize) {
        self.say_to(client, json!({"type": "bye"}).to_string());
        // It hears nothing more; the server closes the socket.
        let Some(socket) = self.clients[client].socket else { return };
        self.clients[client].left(&mut self.book);
        let at = self.to_server_at(socket) + 1;
        self.at(at, Event::ServerNotices { socket });
    }

    fn say_to(&mut self, client: usize, text: String) {
        if let Some(socket) = self.clients[client].socket {
            self.send(socket, text);
        }
    }
}
