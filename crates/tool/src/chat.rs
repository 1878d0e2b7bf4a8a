//! `wigwag chat`: talk in a room, a line at a time.

use std::collections::HashMap;
use std::io::IsTerminal;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use wigwag::{JoinOptions, Member, Mode, Room, RoomEvent};

use crate::args::ChatArgs;
use crate::exit::{Exit, Failure};
use crate::out::{Out, Paint};
use crate::session::{self, Party, party_of};

/// Enters the room, says what is typed, and shows what is said, until the end of the input.
pub(crate) fn run(out: &mut Out, args: &ChatArgs) -> Result<Exit, Failure> {
    session::runtime()?.block_on(chat(out, args))
}

async fn chat(out: &mut Out, args: &ChatArgs) -> Result<Exit, Failure> {
    let client = session::open(&args.peer).await?;
    let nick = args.nick.clone().unwrap_or_else(|| short(&client.id()).to_owned());
    let options = JoinOptions {
        me: Some(json!({"nick": nick})),
        password: args.password.clone(),
        mode: Some(Mode::FreeForAll),
        ..JoinOptions::default()
    };
    let room = client.join_with(&args.room, options).await.map_err(session::refused)?;
    let mut events = room.events();
    let members = room.view().members();
    let here: Vec<String> = members.iter().map(name).collect();
    let mut show = Show { out, json: args.json, paint: Paint::stdout(), nicks: nicks(&members) };
    show.note(&match here.len() {
        0 => format!("You are alone in {}. Others come by: wigwag chat {}", args.room, args.room),
        _ => format!("With you in {}: {}", args.room, here.join(", ")),
    })?;
    if !args.json && std::io::stdin().is_terminal() {
        show.note("Say something, and press Enter. Ctrl-D ends it.")?;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut is_over = false;
    while !is_over {
        tokio::select! {
            line = lines.next_line() => match line.map_err(|why| Exit::Io.because(why))? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => drop(room.say(&json!({"text": line})).await.map_err(session::refused)?),
                None => break,
            },
            event = events.next() => match event {
                Some(event) => is_over = show.event(&event, &room)?,
                None => break,
            },
            () = session::interrupted() => break,
        }
    }
    // Who was thrown out has nothing to leave.
    let _ = room.leave().await;
    client.close().await;
    Ok(if is_over { Exit::Refused } else { Exit::Done })
}

struct Show<'o> {
    out: &'o mut Out,
    json: bool,
    paint: Paint,
    /// What they are called who are here by what was shown: the room itself is ahead of that.
    nicks: HashMap<Party, String>,
}

impl Show<'_> {
    /// Shows what happened, and says whether the room is over for us.
    fn event(&mut self, event: &RoomEvent, room: &Room) -> Result<bool, Failure> {
        match event {
            RoomEvent::Joined(member) => {
                self.nicks.insert(party_of(member), name(member));
                self.happened("joined", member, "came in")?;
            }
            RoomEvent::Updated(member) => drop(self.nicks.insert(party_of(member), name(member))),
            RoomEvent::Left(member, _) => {
                self.nicks.remove(&party_of(member));
                self.happened("left", member, "went")?;
            }
            RoomEvent::Said { from, device, data } => {
                let nick = self.nicks.get(&(from.clone(), device.clone())).cloned();
                let nick = nick.unwrap_or_else(|| short(from).to_owned());
                let data: Value = serde_json::from_str(data.get()).unwrap_or_default();
                let text = data["text"].as_str().map_or_else(|| data.to_string(), str::to_owned);
                if self.json {
                    self.line(&json!({"type": "said", "from": from, "nick": nick, "text": text}))?;
                } else {
                    let who = self.paint.text("1;36", &clean(&nick));
                    self.out.line(&format!("{who}  {}", clean(&text)))?;
                }
            }
            RoomEvent::Closed { why, reason } => {
                let words = reason.as_deref().map_or(String::new(), |reason| format!(" ({})", clean(reason)));
                self.note(&format!("You are out: {why}{words}"))?;
                return Ok(true);
            }
            RoomEvent::Missed(count) => {
                self.nicks = nicks(&room.view().members());
                self.note(&format!("{count} things happened too fast to show."))?;
            }
            _ => {}
        }
        Ok(false)
    }

    fn happened(&mut self, kind: &str, member: &Member, words: &str) -> Result<(), Failure> {
        if self.json {
            return self.line(&json!({"type": kind, "id": member.id, "nick": name(member)}));
        }
        self.note(&format!("{} {words}", clean(&name(member))))
    }

    fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.json {
            return self.line(&json!({"type": "note", "text": text}));
        }
        self.out.line(&self.paint.text("2", text)).map(drop)
    }

    fn line(&mut self, value: &Value) -> Result<(), Failure> {
        self.out.line(&value.to_string()).map(drop)
    }
}

fn nicks(members: &[Member]) -> HashMap<Party, String> {
    members.iter().map(|member| (party_of(member), name(member))).collect()
}

/// What a member calls itself.
fn name(member: &Member) -> String {
    let me: Value = member.me.as_deref().and_then(|me| serde_json::from_str(me.get()).ok()).unwrap_or_default();
    me["nick"].as_str().map_or_else(|| short(&member.id).to_owned(), str::to_owned)
}

/// The beginning of an id is enough to tell some people apart.
fn short(id: &str) -> &str {
    if id.contains('@') { id } else { id.get(..8).unwrap_or(id) }
}

/// What others say moves no cursor and rings no bell here.
fn clean(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_paints_on_another_ones_terminal() {
        assert_eq!(clean("a\x1b[31mb\x07\u{9b}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
    }

    #[test]
    fn key_ids_are_shortened_and_names_are_not() {
        assert_eq!(
            (short("abcdefghijklmnop"), short("bob@example.org"), short("ab")),
            ("abcdefgh", "bob@example.org", "ab")
        );
    }
}
