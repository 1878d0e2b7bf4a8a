//! One WebSocket to a real server, carried by a task of its own while somebody waits for anything.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Dial, Line};
use crate::player::{Frame, NO_CLOSE, NO_CODE};

/// Frames that wait until somebody looks at them; beyond that nothing more is read.
const WAITING_MAX: usize = 1_024;
/// More than any frame of any dialect.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A socket as its peer holds it.
pub(super) struct Socket {
    orders: mpsc::Sender<(Order, oneshot::Sender<()>)>,
    came: mpsc::Receiver<Came>,
    next: Option<Frame>,
    end: Option<u16>,
}

enum Order {
    Send(Message),
    Close,
    Lose,
}

enum Came {
    Frame(Frame),
    /// The socket ended, with this code.
    End(u16),
}

impl Socket {
    /// Opens one; the inner error is the status of a refusal. `bell` rings whenever something came.
    pub(super) async fn open(
        dial: &Dial,
        authority: &str,
        target: &str,
        bell: Arc<Notify>,
    ) -> Result<Result<Self, u16>, String> {
        let line = dial().await.map_err(|why| format!("no connection: {why}"))?;
        let url = format!("ws://{authority}{target}");
        let request = url.into_client_request().map_err(|why| format!("{target} is no address: {why}"))?;
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let stream = match tokio_tungstenite::client_async_with_config(request, line, Some(config)).await {
            Ok((stream, _)) => stream,
            Err(Error::Http(answer)) => return Ok(Err(answer.status().as_u16())),
            Err(why) => return Err(format!("no WebSocket at {target}: {why}")),
        };
        let (orders, taken) = mpsc::channel(1);
        let (gone, came) = mpsc::channel(WAITING_MAX);
        tokio::spawn(carry(stream, taken, gone, bell));
        Ok(Ok(Self { orders, came, next: None, end: None }))
    }

    /// The next frame that came.
    pub(super) fn take(&mut self) -> Option<Frame> {
        self.look();
        self.next.take()
    }

    /// The code with which it ended, once every frame before was taken.
    pub(super) fn end(&mut self) -> Option<u16> {
        self.look();
        self.end
    }

    pub(super) async fn send(&self, frame: Frame) {
        let message = match frame {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        };
        self.order(Order::Send(message)).await;
    }

    /// Closes it and waits for its end.
    pub(super) async fn close(&self) {
        self.order(Order::Close).await;
    }

    /// Ends the connection without a word.
    pub(super) async fn lose(&self) {
        self.order(Order::Lose).await;
    }

    async fn order(&self, order: Order) {
        let (done, is_done) = oneshot::channel();
        // Where the task has ended, so has the socket, which shows in what is expected of it.
        if self.orders.send((order, done)).await.is_ok() {
            let _ = is_done.await;
        }
    }

    fn look(&mut self) {
        while self.next.is_none() && self.end.is_none() {
            match self.came.try_recv() {
                Ok(Came::Frame(frame)) => self.next = Some(frame),
                Ok(Came::End(code)) => self.end = Some(code),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => self.end = Some(NO_CLOSE),
            }
        }
    }
}

async fn carry(
    mut stream: WebSocketStream<Box<dyn Line>>,
    mut orders: mpsc::Receiver<(Order, oneshot::Sender<()>)>,
    came: mpsc::Sender<Came>,
    bell: Arc<Notify>,
) {
    let mut code = NO_CLOSE;
    // Who asked for a close is answered by its end.
    let mut closing = None;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some((Order::Send(message), done)) => {
                    // A socket that cannot be written to ends, which the reading below sees.
                    let _ = stream.send(message).await;
                    let _ = done.send(());
                }
                Some((Order::Close, done)) => {
                    let _ = stream.close(None).await;
                    closing = Some(done);
                }
                Some((Order::Lose, done)) => {
                    drop(stream);
                    let _ = done.send(());
                    return;
                }
                None => return,
            },
            message = stream.next() => {
                let frame = match message {
                    Some(Ok(Message::Text(text))) => Frame::Text(text.as_str().into()),
                    Some(Ok(Message::Binary(bytes))) => Frame::Binary(bytes.into()),
                    Some(Ok(Message::Close(frame))) => {
                        code = frame.map_or(NO_CODE, |frame| frame.code.into());
                        continue;
                    }
                    // Pings are answered by the library.
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => break,
                };
                if closing.is_none() && came.send(Came::Frame(frame)).await.is_err() {
                    return;
                }
                bell.notify_one();
            }
        }
    }
    let _ = came.send(Came::End(code)).await;
    bell.notify_one();
}
