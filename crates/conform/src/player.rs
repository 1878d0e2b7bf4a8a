//! The player: leads a transcript through a world and says at which step the world did otherwise.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pattern::{Bindings, escape};
use crate::raw;
use crate::transcript::{Act, Fresh, Step, Transcript};

/// A server, some sockets and a clock, for a transcript to play in.
pub trait World {
    /// A peer opens a socket at this path.
    fn open(&mut self, socket: &str, at: &str) -> Result<Opened, Fault>;
    /// Its peer sends a frame.
    fn send(&mut self, socket: &str, frame: Frame);
    /// The next frame that the server sent to one of these sockets, and to which. Pings are not among them.
    fn next(&mut self, sockets: &[&str], patience: Patience) -> Option<(usize, Frame)>;
    /// The code with which the server closed it; [`NO_CODE`] and [`NO_CLOSE`] are such too.
    fn closed(&mut self, socket: &str, patience: Patience) -> Option<u16>;
    /// Its peer answers the latest ping; `false` if there was none.
    fn pong(&mut self, socket: &str) -> Result<bool, Unable>;
    /// The socket is lost without a word.
    fn lose(&mut self, socket: &str);
    /// Its peer closes it.
    fn close(&mut self, socket: &str);
    /// The clocks go on, and what is due happens.
    fn wait(&mut self, ms: u64);
    /// The server stops, is written out, and starts again from that. All sockets are lost.
    fn restart(&mut self) -> Result<(), Unable>;
    /// Somebody asks over HTTP.
    fn request(&mut self, request: &Request) -> Result<Answer, Fault>;
    /// A frame with proof by a test key.
    fn prove(&mut self, socket: &str, key: &str, frame: Value) -> Result<Value, Unable>;
}

/// The close code of a close that has none.
pub const NO_CODE: u16 = 1005;
/// The close code of a connection that ended without a close.
pub const NO_CLOSE: u16 = 1006;

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary(Vec<u8>),
}

/// Whether to wait for what has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as is sensible.
    Wait,
    /// Not at all.
    Now,
}

/// What became of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Yes,
    /// The server answered with this status instead.
    Refused(u16),
}

/// A request over HTTP.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` and the like.
    pub method: String,
    /// From the top of the server if it begins with `/`, else below the dialect's own path.
    pub path: String,
    /// Headers by name.
    pub headers: BTreeMap<String, String>,
}

/// What a server answers to it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers by name, in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// What this world cannot show, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unable(pub String);

/// Why a step was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server did otherwise, so.
    Otherwise(String),
    /// The world cannot show this.
    Unable(Unable),
}

/// Why a transcript was not played to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The server did otherwise.
    Broken(Misstep),
    /// The world cannot show this.
    Unable(String),
}

/// Where a server did otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misstep {
    /// The number of the step, from 1; none is after the last.
    pub step: Option<usize>,
    /// What was expected, or done.
    pub expected: String,
    /// What came instead.
    pub came: String,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(Misstep { step: Some(at), expected, came }) => write!(f, "step {at}, {expected}: {came}"),
            Self::Broken(Misstep { step: None, expected, came }) => write!(f, "{expected}: {came}"),
            Self::Unable(why) => write!(f, "cannot be shown here: {why}"),
        }
    }
}

impl Transcript {
    /// Plays it. `names` are known from the start; `random` gives the randomness of fresh values.
    pub fn play(
        &self,
        world: &mut impl World,
        mut names: Bindings,
        random: &mut impl FnMut() -> u64,
    ) -> Result<(), Stopped> {
        for (name, kind) in &self.fresh {
            names.bind(name, fresh(*kind, random));
        }
        let mut player = Player { names, sockets: BTreeMap::new(), also: BTreeMap::new() };
        for (at, step) in self.steps.iter().enumerate() {
            player.step(world, step).map_err(|why| match why {
                Fault::Unable(Unable(why)) => Stopped::Unable(why),
                Fault::Otherwise(came) => {
                    Stopped::Broken(Misstep { step: Some(at + 1), expected: player.names.show(&step.shown), came })
                }
            })?;
        }
        player
            .ends_in_silence(world)
            .map_err(|came| Stopped::Broken(Misstep { step: None, expected: "nothing more at the end".into(), came }))
    }
}

/// A value that no other run uses.
pub fn fresh(kind: Fresh, random: &mut impl FnMut() -> u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut letters = |count: u32| {
        let bits = random();
        (0..count).map(|at| char::from(LETTERS[(bits >> (5 * at)) as usize % 32])).collect::<String>()
    };
    match kind {
        Fresh::Word => format!("conform-{}", letters(12)),
        Fresh::Letters8 => letters(8),
        // The last is always beyond ASCII, for that is where such texts go wrong.
        Fresh::Bytes20 => (0..20u8).map(|at| char::from(random() as u8 | if at == 19 { 0x80 } else { 0 })).collect(),
    }
}

struct Player {
    names: Bindings,
    /// Whether a socket may still be used.
    sockets: BTreeMap<String, bool>,
    /// Other names of sockets.
    also: BTreeMap<String, String>,
}

impl From<String> for Fault {
    fn from(came: String) -> Self {
        Self::Otherwise(came)
    }
}

impl From<Unable> for Fault {
    fn from(why: Unable) -> Self {
        Self::Unable(why)
    }
}

impl Player {
    fn step(&mut self, world: &mut impl World, step: &Step) -> Result<(), Fault> {
        match &step.act {
            Act::Open { open, at, refused } => {
                let at = self.names.splice(at, percent).into_owned();
                match (world.open(open, &at)?, refused) {
                    (Opened::Yes, None) => {
                        self.sockets.insert(open.clone(), true);
                    }
                    (Opened::Refused(status), Some(expected)) if status == *expected => {}
                    (Opened::Refused(status), _) => return Err(format!("it was refused with status {status}").into()),
                    (Opened::Yes, Some(_)) => return Err("it was let in".to_owned().into()),
                }
            }
            Act::From { from, prove, frame, binary } => {
                let from = self.socket(from)?;
                let frame = self.names.fill(frame)?;
                let frame = match prove {
                    Some(key) => world.prove(&from, key, frame)?,
                    None => frame,
                };
                self.send(world, &from, frame.to_string(), *binary);
            }
            Act::Text { from, text, binary } => {
                let text = self.names.splice(text, escape).into_owned();
                self.send(world, &self.socket(from)?, text, *binary);
            }
            Act::Hex { from, hex } => {
                let bytes =
                    (0..hex.len() / 2).filter_map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok());
                world.send(&self.socket(from)?, Frame::Binary(bytes.collect()));
            }
            Act::To { to, frame, raw, keys } => {
                let to = self.socket(to)?;
                let text = take(world, &to)?;
                let actual = parse(&text)?;
                self.names.fit(frame, &actual)?;
                for (pointer, expected) in raw {
                    let expected = self.names.splice(expected, escape);
                    let found = raw::value(&text, pointer).ok_or_else(|| format!("no {pointer:?} in {text}"))?;
                    if found != expected {
                        return Err(format!("at {pointer:?}: {found} where exactly {expected} was expected").into());
                    }
                }
                if let Some(expected) = keys {
                    let found = raw::keys(&text);
                    if found != *expected {
                        return Err(format!("the keys came in the order {found:?}").into());
                    }
                }
            }
            Act::ToText { to, text } => {
                let found = take(world, &self.socket(to)?)?;
                if found != self.names.splice(text, escape) {
                    return Err(format!("came {found}").into());
                }
            }
            Act::ToAnyOrder { to, any_order } => {
                let to = self.socket(to)?;
                let texts = any_order.iter().map(|_| take(world, &to)).collect::<Result<Vec<_>, _>>()?;
                let frames = texts.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
                if !self.names.fit_in_any_order(any_order, &frames) {
                    return Err(format!("came {}", texts.join(" ")).into());
                }
            }
            Act::ToOneOf { to_one_of, frame, called, other } => {
                let sockets = to_one_of.iter().map(|name| self.socket(name)).collect::<Result<Vec<_>, _>>()?;
                let names: Vec<&str> = sockets.iter().map(String::as_str).collect();
                let Some((at, came)) = world.next(&names, Patience::Wait) else {
                    return Err("nothing came to any of them".to_owned().into());
                };
                self.names.fit(frame, &parse(&text_of(came)?)?)?;
                self.also.insert(called.clone(), sockets[at].clone());
                if let (Some(other), Some(second)) = (other, sockets.get(1 - at.min(1))) {
                    self.also.insert(other.clone(), second.clone());
                }
            }
            Act::Pong { pong } => {
                if !world.pong(&self.socket(pong)?)? {
                    return Err("there was no ping".to_owned().into());
                }
            }
            Act::Drop { drop } => {
                let socket = self.socket(drop)?;
                world.lose(&socket);
                self.sockets.insert(socket, false);
            }
            Act::Close { close } => {
                let socket = self.socket(close)?;
                world.close(&socket);
                self.sockets.insert(socket, false);
            }
            Act::Closed { closed, code } => {
                let socket = self.socket(closed)?;
                let found = world.closed(&socket, Patience::Wait);
                if let Some((_, frame)) = world.next(&[&socket], Patience::Now) {
                    return Err(format!("before, it was sent {}", show(frame)).into());
                }
                match (found, code) {
                    (Some(found), Some(code)) if found != *code => {
                        return Err(format!("closed {}", coded(found)).into());
                    }
                    (Some(_), _) => self.sockets.insert(socket, false),
                    (None, _) => return Err("it is open".to_owned().into()),
                };
            }
            Act::Http { http, headers, status, has, json, text } => {
                let (method, path) = http.split_once(' ').ok_or_else(|| "it is no request".to_owned())?;
                let path = self.names.splice(path, percent).into_owned();
                let request = Request { method: method.into(), path, headers: headers.clone() };
                let answer = world.request(&request)?;
                self.answered(&answer, *status, has, json.as_ref(), text.as_deref())?;
            }
            Act::Wait { wait } => world.wait(*wait),
            Act::Restart { .. } => {
                world.restart()?;
                self.sockets.values_mut().for_each(|open| *open = false);
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        answer: &Answer,
        status: u16,
        has: &BTreeMap<String, String>,
        json: Option<&Value>,
        text: Option<&str>,
    ) -> Result<(), String> {
        if answer.status != status {
            return Err(format!("the status is {}, the body {:?}", answer.status, answer.body));
        }
        for (name, expected) in has {
            let found = answer.headers.get(name).ok_or_else(|| format!("there is no header {name}"))?;
            self.names.fit(&expected.as_str().into(), &found.as_str().into())?;
        }
        if let Some(pattern) = json {
            let body = parse(&answer.body).map_err(|why| format!("the body: {why}"))?;
            self.names.fit(pattern, &body)?;
        }
        match text {
            Some(pattern) => self.names.fit(&pattern.into(), &answer.body.as_str().into()),
            None => Ok(()),
        }
    }

    fn ends_in_silence(&self, world: &mut impl World) -> Result<(), String> {
        for name in self.sockets.iter().filter(|(_, open)| **open).map(|(name, _)| name) {
            if let Some((_, frame)) = world.next(&[name], Patience::Now) {
                return Err(format!("{name} was sent {}", show(frame)));
            }
            if let Some(code) = world.closed(name, Patience::Now) {
                return Err(format!("{name} was closed {}", coded(code)));
            }
        }
        Ok(())
    }

    fn send(&self, world: &mut impl World, socket: &str, text: String, binary: bool) {
        world.send(socket, if binary { Frame::Binary(text.into_bytes()) } else { Frame::Text(text) });
    }

    /// The socket that is called so.
    fn socket(&self, name: &str) -> Result<String, String> {
        let name = self.also.get(name).map_or(name, String::as_str);
        if self.sockets.contains_key(name) { Ok(name.to_owned()) } else { Err(format!("there is no socket {name}")) }
    }
}

fn take(world: &mut impl World, socket: &str) -> Result<String, String> {
    match world.next(&[socket], Patience::Wait) {
        Some((_, frame)) => text_of(frame),
        None => Err(match world.closed(socket, Patience::Now) {
            Some(code) => format!("it was closed {}", coded(code)),
            None => "nothing came".into(),
        }),
    }
}

fn text_of(frame: Frame) -> Result<String, String> {
    match frame {
        Frame::Text(text) => Ok(text),
        binary @ Frame::Binary(_) => Err(format!("came {}", show(binary))),
    }
}

fn show(frame: Frame) -> String {
    match frame {
        Frame::Text(text) => text,
        Frame::Binary(bytes) => format!("a binary frame, {}", String::from_utf8_lossy(&bytes)),
    }
}

fn coded(code: u16) -> String {
    match code {
        NO_CODE => "without a code".into(),
        NO_CLOSE => "by an end of the connection".into(),
        code => format!("with {code}"),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|why| format!("came {text}: {why}"))
}

/// As it stands in a path.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests;
