//! A place to drop files: whoever knows the id of the one that waits can put files and folders into its folder, and nowhere else.
//!
//! ```sh
//! cargo run --example drop -- localhost:8080 into inbox           # prints an id
//! cargo run --example drop -- localhost:8080 to ID photos a.pdf   # on another machine, or from `wigwag send … ID`
//! ```

#![allow(clippy::print_stdout, reason = "it talks to people")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use wigwag::files::{Files, Into};
use wigwag::{Connection, Wigwag};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let server = args.next().ok_or("which server?")?;
    let (way, place) = (args.next().ok_or("`into` or `to`?")?, args.next().ok_or("which folder, or whom?")?);
    let w = Wigwag::builder().server(server).open().await?;
    match way.as_str() {
        "into" => wait(&w, place.into()).await,
        _ => send(&w, &place, args.map(PathBuf::from).collect()).await,
    }
}

/// Takes what anybody sends.
async fn wait(w: &Wigwag, folder: PathBuf) -> Result<(), Box<dyn Error>> {
    let mut incoming = w.incoming().await;
    println!("I am {}", w.id());
    while let Some(friend) = incoming.connection().await {
        tokio::spawn(take(friend, folder.clone()));
    }
    Ok(())
}

async fn take(friend: Connection, folder: PathBuf) {
    while let Some(offered) = friend.incoming_files().await {
        println!("{} sends {}: {} bytes", friend.peer(), offered.name(), offered.bytes());
        // No path leads out of the folder, and nothing in it is overwritten.
        let mut taking = offered.accept(Into { folder: folder.clone(), overwrite: false });
        match taking.finished().await {
            Ok(summary) => println!("it is whole: {:?}", summary.places),
            // What came of it is kept, and gone on with when it is sent again.
            Err(why) => println!("it was cut: {why}"),
        }
    }
}

/// Sends, and waits until every byte has been checked at the other end.
async fn send(w: &Wigwag, whom: &str, what: Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let files = Arc::new(Files::gather(what).await?);
    let friend = w.connect(whom).await?;
    let summary = friend.send_files(&files).await?.finished().await?;
    println!("{} bytes are there", summary.crossed);
    friend.close().await;
    w.close().await;
    Ok(())
}
