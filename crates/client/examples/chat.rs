//! A chat without a server in the middle: everybody in a room is connected to everybody else, and what is said goes from program to program.
//!
//! ```sh
//! cargo run --example chat -- localhost:8080 den
//! ```

#![allow(clippy::print_stdout, reason = "it talks to people")]

use std::error::Error;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc;
use wigwag::{Connection, JoinOptions, Message, Wigwag};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (server, room) = (args.next().ok_or("which server?")?, args.next().ok_or("which room?")?);

    let w = Wigwag::builder().server(server).open().await?;
    println!("I am {}", w.id());

    // Whoever comes calls those who are there, and those who are there let it in.
    let mut incoming = w.incoming().await;
    let room = w.join_with(&room, JoinOptions::default()).await?;
    let mut friends: Vec<Connection> = Vec::new();
    let (heard, mut hears) = mpsc::channel(16);
    for member in room.view().members() {
        match w.connect(&member.id).device(member.device).await {
            Ok(friend) => friends.push(meet(friend, &heard)),
            Err(why) => println!("{} cannot be reached: {why}", member.id),
        }
    }

    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            Some(friend) = incoming.connection() => friends.push(meet(friend, &heard)),
            Some(text) = hears.recv() => println!("{text}"),
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                for friend in &friends {
                    // Who has gone hears nothing.
                    let _ = friend.send(line.clone()).await;
                }
            }
        }
    }
    w.close().await;
    Ok(())
}

/// Hears what a friend says, until it goes.
fn meet(friend: Connection, heard: &mpsc::Sender<String>) -> Connection {
    println!("{} is here", friend.peer());
    let (from, heard) = (friend.clone(), heard.clone());
    tokio::spawn(async move {
        while let Some(message) = from.recv().await {
            if let Message::Text(text) = message {
                let _ = heard.send(format!("{}: {text}", from.peer())).await;
            }
        }
        let _ = heard.send(format!("{} went", from.peer())).await;
    });
    friend
}
