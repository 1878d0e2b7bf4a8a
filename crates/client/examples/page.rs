//! A program and a page that talk directly: the program holds a counter, and every page that opens its link sees it and can raise it.
//!
//! ```sh
//! cargo run --example page -- localhost:8080
//! ```
//!
//! The link may be opened on another machine too, as long as that reaches this one's little site and the server. What page and program say to
//! each other needs neither: it goes directly and is sealed.

#![allow(clippy::print_stdout, reason = "it talks to people")]

use std::error::Error;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use wigwag::{Connection, Message, Wigwag};

/// What the program tells pages.
#[derive(Serialize)]
struct Count {
    count: u64,
}

/// What pages ask of the program.
#[derive(Deserialize)]
struct Raise {
    raise: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("which server?")?;
    let w = Wigwag::builder().server(&server).open().await?;
    let site = TcpListener::bind("127.0.0.1:0").await?;
    // Behind the `#` the page finds whom to call, and over which server.
    println!("Open http://{}/#{server}/{}", site.local_addr()?, w.id());
    tokio::spawn(serve(site));

    let counter = Arc::new(watch::Sender::new(0));
    let mut incoming = w.incoming().await;
    while let Some(page) = incoming.connection().await {
        tokio::spawn(talk(page, Arc::clone(&counter)));
    }
    Ok(())
}

/// Tells a page every count, and does what it asks.
async fn talk(page: Connection, counter: Arc<watch::Sender<u64>>) {
    println!("{} looks on", page.peer());
    let mut count = counter.subscribe();
    count.mark_changed();
    loop {
        tokio::select! {
            changed = count.changed() => {
                let count = *count.borrow_and_update();
                let Ok(message) = Message::json(&Count { count }) else { return };
                if changed.is_err() || page.send(message).await.is_err() {
                    return;
                }
            }
            message = page.recv() => {
                let Some(message) = message else { return };
                if let Some(Raise { raise }) = message.parse() {
                    counter.send_modify(|count| *count = count.saturating_add(raise));
                    println!("{} raised it to {}", page.peer(), *counter.borrow());
                }
            }
        }
    }
}

/// Hands the page to everybody who asks for anything.
async fn serve(site: TcpListener) {
    while let Ok((mut browser, _)) = site.accept().await {
        tokio::spawn(async move {
            let page = include_str!("page.html");
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                page.len()
            );
            // What it asks for does not matter, but it wants to say it first.
            let _ = browser.read(&mut [0; 4096]).await;
            let _ = browser.write_all(format!("{head}{page}").as_bytes()).await;
        });
    }
}
