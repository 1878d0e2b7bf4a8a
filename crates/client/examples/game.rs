//! A game in turns that outlives its host. Twenty-one matches lie on the table; each player in turn takes one, two or three; who takes the last one
//! loses.
//!
//! One member of the room is the host: it alone decides, and leaves the state of the game with the room after every move. When it goes, or is
//! cut off, the server makes the next member the host, who finds the state there and carries on.
//!
//! ```sh
//! cargo run --example game -- localhost:8080 nim      # in three terminals
//! ```

#![allow(clippy::print_stdout, reason = "it talks to people")]

use std::error::Error;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use wigwag::{Room, RoomEvent, Wigwag};

/// All that there is to know about a game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Game {
    matches: u32,
    /// In the order of their turns.
    players: Vec<String>,
    turn: usize,
}

/// What a player asks of the host.
#[derive(Debug, Serialize, Deserialize)]
struct Take {
    take: u32,
}

impl Game {
    fn new(host: String) -> Self {
        Self { matches: 21, players: vec![host], turn: 0 }
    }

    /// Whether somebody may do that; if so, it is done.
    fn take(&mut self, who: &str, many: u32) -> bool {
        let may = self.players[self.turn] == who && (1..=3).contains(&many) && many <= self.matches;
        if may {
            self.matches -= many;
            self.turn = (self.turn + 1) % self.players.len();
        }
        may
    }

    fn join(&mut self, who: String) {
        if !self.players.contains(&who) {
            self.players.push(who);
        }
    }

    /// Those play who are in the room.
    fn seat(&mut self, room: &Room, me: &str) {
        let mut here: Vec<String> = room.view().members().into_iter().map(|member| member.id).collect();
        here.push(me.to_owned());
        for player in self.players.clone() {
            if !here.contains(&player) {
                self.leave(&player);
            }
        }
        here.into_iter().for_each(|who| self.join(who));
    }

    fn leave(&mut self, who: &str) {
        let Some(place) = self.players.iter().position(|player| player == who) else { return };
        self.players.remove(place);
        if place < self.turn {
            self.turn -= 1;
        }
        self.turn %= self.players.len().max(1);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (server, room) = (args.next().ok_or("which server?")?, args.next().ok_or("which room?")?);
    let w = Wigwag::builder().server(server).open().await?;
    let me = w.id();
    let room = w.join(&room).await?;
    println!("I am {me}{}", if room.view().mine() { ", the host" } else { "" });

    // What happens from here on is heard; what happened before is in the view.
    let (mut events, mut lines) = (room.events(), BufReader::new(stdin()).lines());
    let mut game = state(&room).unwrap_or_else(|| Game::new(me.clone()));
    if room.view().mine() {
        game.seat(&room, &me);
        tell(&room, &game, &me).await?;
    } else if state(&room).is_some() {
        show(&game, &me);
    }

    loop {
        let before = game.clone();
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                let Ok(take) = line.trim().parse() else { continue };
                if room.view().mine() {
                    if !game.take(&me, take) {
                        println!("you cannot do that now");
                    }
                } else {
                    // In a room that only its host steers, members speak to the host alone.
                    room.say_to(&Take { take }, Some(&[&room.view().host.id])).await?;
                }
            }
            event = events.next() => match event {
                // For those who follow: the host has told the state.
                Some(RoomEvent::State(state)) => {
                    game = serde_json::from_str(state.get())?;
                    show(&game, &me);
                    continue;
                }
                // For the host: somebody moves, comes or goes.
                Some(RoomEvent::Said { from, data, .. }) if room.view().mine() => {
                    if let Ok(Take { take }) = serde_json::from_str(data.get()) {
                        game.take(&from, take);
                    }
                }
                Some(RoomEvent::Joined(member)) if room.view().mine() => game.join(member.id),
                Some(RoomEvent::Left(member, _)) if room.view().mine() => game.leave(&member.id),
                // The host is gone. The next one takes over what it left.
                Some(RoomEvent::Host { mine: true, .. }) => {
                    println!("I am the host now");
                    game = state(&room).unwrap_or(game);
                    game.seat(&room, &me);
                    tell(&room, &game, &me).await?;
                    continue;
                }
                Some(RoomEvent::Closed { why, .. }) => return Err(why.into()),
                Some(_) => {}
                None => break,
            },
        }
        if game != before {
            tell(&room, &game, &me).await?;
        }
    }
    w.close().await;
    Ok(())
}

/// The game as the host last told it, which the room keeps for the next one.
fn state(room: &Room) -> Option<Game> {
    serde_json::from_str(room.view().state?.get()).ok()
}

/// The host leaves the state with the room, where everybody sees it.
async fn tell(room: &Room, game: &Game, me: &str) -> Result<(), Box<dyn Error>> {
    room.set_state(game).await?;
    show(game, me);
    Ok(())
}

fn show(game: &Game, me: &str) {
    let turn = &game.players[game.turn];
    let whose = if turn == me { "your turn" } else { turn };
    match game.matches {
        0 => println!("it is over: {whose} has won"),
        matches => println!("{matches} matches, {} players, {whose}", game.players.len()),
    }
}
