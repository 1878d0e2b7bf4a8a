//! The cheapest relay that can be written: one thread, one epoll, no checks. A peer registers by the path that it opens
//! (`/17`) and sends frames that begin with the number of their receiver (`{"to":17,`).

use std::collections::HashMap;
use std::net::TcpListener;

use anyhow::Result;
use sha1::{Digest, Sha1};
use wigwag_load::frames::{self, CLOSE, Frame, PING, PONG, TEXT};
use wigwag_load::{Poll, Socket};

/// Relays until the process is killed. With `gather`, what one wake-up produced for a socket is one write.
pub(crate) fn run(listener: &TcpListener, gather: bool) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut relay =
        Relay { poll: Poll::new()?, members: HashMap::new(), names: HashMap::new(), gather, dirty: Vec::new() };
    relay.poll.add(listener, LISTENER)?;
    let mut next = LISTENER + 1;
    let mut buffer = vec![0; 65_536];
    let mut ready = Vec::new();
    loop {
        relay.poll.wait(None, &mut ready)?;
        for &key in &ready {
            if key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    let socket = Socket::new(stream)?;
                    relay.poll.add(socket.stream(), next)?;
                    relay.members.insert(next, Member { socket, name: None });
                    next += 1;
                }
            } else {
                relay.serve(key, &mut buffer)?;
            }
        }
        for key in std::mem::take(&mut relay.dirty) {
            relay.flush(key)?;
        }
    }
}

const LISTENER: usize = 0;

struct Relay {
    poll: Poll,
    members: HashMap<usize, Member>,
    /// From the number that a peer registered to its socket.
    names: HashMap<u64, usize>,
    gather: bool,
    /// Sockets with something to write at the end of this wake-up.
    dirty: Vec<usize>,
}

struct Member {
    socket: Socket,
    name: Option<u64>,
}

impl Relay {
    fn serve(&mut self, key: usize, buffer: &mut [u8]) -> Result<()> {
        let Some(member) = self.members.get_mut(&key) else { return Ok(()) };
        if member.socket.has_more() {
            member.socket.flush(&mut self.poll, key)?;
        }
        let Some(length) = member.socket.read(buffer)? else { return self.leave(key) };
        let arrived = buffer.get_mut(..length).unwrap_or_default();
        if member.name.is_none() {
            member.socket.inbox.extend_from_slice(arrived);
            return self.register(key);
        }
        // Whole frames are relayed from the shared buffer; only a rest is kept.
        if member.socket.inbox.is_empty() {
            let used = self.relay_all(key, arrived)?;
            let rest = arrived.get(used..).unwrap_or_default();
            if let Some(member) = self.members.get_mut(&key) {
                member.socket.inbox.extend_from_slice(rest);
            }
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut member.socket.inbox);
        inbox.extend_from_slice(arrived);
        let used = self.relay_all(key, &mut inbox)?;
        if let Some(member) = self.members.get_mut(&key) {
            member.socket.inbox.extend_from_slice(inbox.get(used..).unwrap_or_default());
        }
        Ok(())
    }

    /// Answers the upgrade once all of it is there.
    fn register(&mut self, key: usize) -> Result<()> {
        let Some(member) = self.members.get_mut(&key) else { return Ok(()) };
        let Some(end) = memchr::memmem::find(&member.socket.inbox, b"\r\n\r\n") else { return Ok(()) };
        let request = String::from_utf8_lossy(&member.socket.inbox).into_owned();
        let name = request.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let nonce = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let (Some(name), Some(nonce)) = (name, nonce) else { return self.leave(key) };
        member.socket.inbox.drain(..end + 4);
        member.name = Some(name);
        self.names.insert(name, key);
        let accept = Sha1::new().chain_update(nonce).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
        let accept = data_encoding::BASE64.encode(&accept);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        member.socket.outbox(&mut self.poll).extend_from_slice(answer.as_bytes());
        member.socket.flush(&mut self.poll, key)
    }

    /// Relays the whole frames at the start of `bytes` and returns how many bytes they were.
    fn relay_all(&mut self, from: usize, bytes: &mut [u8]) -> Result<usize> {
        let mut used = 0;
        while let Some(rest) = bytes.get_mut(used..)
            && let Some(frame) = Frame::first(rest)
        {
            used += frame.end;
            let payload = frame.payload(rest);
            let (key, opcode) = match frame.opcode {
                TEXT => (receiver(payload).and_then(|name| self.names.get(&name)).copied(), TEXT),
                PING => (Some(from), PONG),
                CLOSE => {
                    self.leave(from)?;
                    return Ok(used);
                }
                _ => continue,
            };
            let Some(key) = key else { continue };
            let Some(member) = self.members.get_mut(&key) else { continue };
            if self.gather && !member.socket.has_more() {
                self.dirty.push(key);
            }
            frames::push(member.socket.outbox(&mut self.poll), opcode, payload);
            if !self.gather {
                self.flush(key)?;
            }
        }
        Ok(used)
    }

    fn flush(&mut self, key: usize) -> Result<()> {
        match self.members.get_mut(&key) {
            Some(member) => member.socket.flush(&mut self.poll, key),
            None => Ok(()),
        }
    }

    fn leave(&mut self, key: usize) -> Result<()> {
        if let Some(name) = self.members.remove(&key).and_then(|member| member.name) {
            self.names.remove(&name);
        }
        Ok(())
    }
}

fn receiver(payload: &[u8]) -> Option<u64> {
    let digits = payload.strip_prefix(b"{\"to\":")?;
    let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use wigwag_load::{Crowd, MESSAGES_PER_CALL, Pace, Plan, Rhythm, Target, Tongue, run as load};

    use super::*;

    #[test]
    fn every_message_of_every_call_arrives_through_either_relay() -> Result<()> {
        for gather in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let target = Target::plain(listener.local_addr()?);
            std::thread::spawn(move || run(&listener, gather));
            let mut crowd = Crowd::new(target, Tongue::Bare)?;
            crowd.open(10, 4)?;
            for rhythm in [Rhythm::Sparse, Rhythm::Burst] {
                for pace in [Pace::AtOnce(3), Pace::PerSecond(1_000.0)] {
                    let ran = load(&mut crowd, &Plan::calls(0..10, rhythm, pace, 50), |_, _| true)?;
                    assert_eq!((ran.done, ran.failed, ran.messages), (50, 0, 50 * MESSAGES_PER_CALL));
                    assert_eq!((ran.latency.count(), ran.setup.count()), (ran.messages, 50));
                }
            }
            crowd.check()?;
        }
        Ok(())
    }
}
