//! Two programs, or a program and a page, talk without any server: people carry two codes between them.
//!
//! ```sh
//! cargo run -p wigwag --example by-code                 # prints an offer code, and asks for the answer
//! cargo run -p wigwag --example by-code -- WW2FN…       # reads the offer, and prints the answer
//! ```
//!
//! After that each line that is typed goes to the other side. On a page it is `offerCode` and `connect` of the SDK.

#![allow(clippy::print_stdout, reason = "it talks to people")]

use std::error::Error;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use wigwag::{Connection, Message, Wigwag};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(meet());
    // A read of standard input that nobody ends would hold the process.
    runtime.shutdown_background();
    done
}

async fn meet() -> Result<(), Box<dyn Error>> {
    let codes = Wigwag::builder().codes()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let connection = match std::env::args().nth(1) {
        Some(code) => {
            let answer = codes.answer(&code).await?;
            println!("Give this back: {}", answer.code());
            answer.opened().await?
        }
        None => {
            let mut offer = codes.offer().await?;
            println!("Give this to the other side: {}", offer.code());
            loop {
                println!("The answer, please:");
                let Some(line) = lines.next_line().await? else { return Ok(()) };
                match offer.complete(&line).await {
                    // A mistake in the code: the offer stands, so try again.
                    Err(wigwag::CodeError::Bad(why)) => println!("{why}"),
                    done => break done?,
                }
            }
        }
    };
    println!("You talk with {} ({:?}, {:?}).", connection.peer(), connection.verified(), connection.path());
    talk(&connection, &mut lines).await?;
    connection.close().await;
    Ok(())
}

async fn talk(connection: &Connection, lines: &mut Lines<BufReader<Stdin>>) -> Result<(), Box<dyn Error>> {
    loop {
        tokio::select! {
            message = connection.recv() => match message {
                Some(Message::Text(text)) => println!("> {text}"),
                Some(_) => println!("> (something else)"),
                None => return Ok(()),
            },
            line = lines.next_line() => match line? {
                Some(line) => connection.send(line).await?,
                None => return Ok(()),
            },
        }
    }
}
