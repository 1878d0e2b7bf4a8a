//! Reading what a line wants, and a driver with a clock of its own.
#![allow(clippy::needless_pass_by_value)]

use std::collections::VecDeque;

use serde_json::{Value, json};
use wigwag_peer::{AskId, Asked, Body, Config, Input, Line, Moment, Output, Server, SocketId, State};

/// The frame that this sends.
pub(crate) fn sent(output: &Output) -> Option<Value> {
    match output {
        Output::Send { text, .. } => Some(serde_json::from_str(text).unwrap()),
        _ => None,
    }
}

/// The socket that this opens.
pub(crate) fn connects(output: &Output) -> Option<SocketId> {
    match output {
        Output::Connect { socket, .. } => Some(*socket),
        _ => None,
    }
}

/// The statement that this wants signed.
pub(crate) fn proves(output: &Output) -> Option<Vec<u8>> {
    match output {
        Output::Prove { statement, .. } => Some(statement.clone()),
        _ => None,
    }
}

pub(crate) fn body(frame: Value) -> Body {
    Body::new(&frame).unwrap()
}

/// A line with a clock and the last socket that it wanted.
pub(crate) struct Driver {
    pub(crate) line: Line,
    pub(crate) now: u64,
    pub(crate) socket: SocketId,
    pub(crate) url: String,
    connects: VecDeque<(SocketId, String)>,
    sent: Vec<Value>,
    answers: Vec<u64>,
}

impl Driver {
    pub(crate) fn new(config: Config) -> Self {
        let line = Line::new(config, super::no_dice()).unwrap();
        let (connects, sent, answers) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut driver = Self { line, now: 0, socket: SocketId(0), url: String::new(), connects, sent, answers };
        driver.tell(Input::Open);
        driver
    }

    pub(crate) fn of(urls: &[&str]) -> Self {
        Self::new(Config::new(urls.iter().map(|url| Server::new(*url)).collect()))
    }

    pub(crate) fn one() -> Self {
        Self::of(&["wss://a.test/v1"])
    }

    pub(crate) fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.line.handle(Moment(self.now), input, &mut out);
        for output in &out {
            match output {
                Output::Connect { socket, url } => self.connects.push_back((*socket, url.clone())),
                Output::Answer { to: Asked::Request(id), .. } => self.answers.push(id.0),
                _ => self.sent.extend(sent(output)),
            }
        }
        out
    }

    pub(crate) fn ask(&mut self, id: u64, frame: Value, repeatable: bool) -> Vec<Output> {
        self.tell(Input::Request { id: AskId(id), body: body(frame), repeatable })
    }

    pub(crate) fn stand(&mut self, key: &str, frame: Value) {
        self.tell(Input::Stand { key: key.into(), body: body(frame) });
    }

    /// Lets time pass until the line wants a socket.
    pub(crate) fn find(&mut self) {
        while self.connects.is_empty() {
            self.now = self.line.next_deadline().expect("the line waits for something").0;
            self.tell(Input::Tick);
            if self.sent.last().is_some_and(|frame| frame["type"] == "seen") {
                let n = self.sent.pop().unwrap()["n"].clone();
                self.hear(json!({"type": "done", "re": n}));
            }
        }
        (self.socket, self.url) = self.connects.pop_front().unwrap();
    }

    pub(crate) fn challenge(&mut self) -> Vec<Output> {
        self.challenge_as("a.test")
    }

    pub(crate) fn challenge_as(&mut self, server: &str) -> Vec<Output> {
        let versions = ["wigwag.1"];
        self.hear(json!({"type": "challenge", "nonce": "n".repeat(16), "server": server, "versions": versions}))
    }

    /// Is let in by a server that says this beside what it must.
    pub(crate) fn welcome(&mut self, more: Value) -> Vec<Output> {
        if !self.connects.is_empty() || self.line.status().state != State::Connecting {
            self.find();
        }
        self.challenge();
        self.sent.clear();
        let mut frame = json!({"type": "welcome", "resume": "t", "resumed": false});
        for (field, value) in more.as_object().unwrap() {
            frame[field] = value.clone();
        }
        self.hear(frame)
    }

    pub(crate) fn hear(&mut self, frame: Value) -> Vec<Output> {
        self.tell(Input::Text { socket: self.socket, text: frame.to_string() })
    }

    pub(crate) fn lose(&mut self) -> Vec<Output> {
        if self.line.status().state == State::Waiting {
            self.find();
        }
        self.close(0)
    }

    pub(crate) fn close(&mut self, code: u16) -> Vec<Output> {
        self.tell(Input::Lost { socket: self.socket, code, reason: String::new() })
    }

    pub(crate) fn sleep(&mut self, ms: u64) -> Vec<Output> {
        self.now += ms;
        self.tell(Input::Tick)
    }

    pub(crate) fn sent(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn answers(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.answers)
    }
}
