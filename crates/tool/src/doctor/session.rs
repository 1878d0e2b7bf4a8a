//! What is said with the server: the WebSocket, the clock, who may come in, how fast it answers.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use wigwag::Signer;
use wigwag_conform::live::{Base, Line};
use wigwag_wire::code::{Class, Code};
use wigwag_wire::signature::HelloStatement;

use super::reach;
use super::report::{Finding, Report, Verdict};
use crate::exit::Failure;
use crate::identity;

/// A clock that is wrong by more than this makes credentials and sightings fail.
const CLOCK: Duration = Duration::from_secs(30);

/// So many questions are asked to see how fast answers come.
const QUESTIONS: usize = 5;

/// A conversation with a server.
pub(super) struct Session {
    socket: WebSocketStream<Box<dyn Line>>,
    patience: Duration,
    /// What the server said when it let us in.
    pub(super) welcome: Value,
    id: String,
}

#[derive(Deserialize)]
struct Challenge {
    nonce: String,
    server: String,
    time: u64,
}

impl Session {
    /// Opens a socket and goes in. Tells of each step; `None` where it went no further.
    pub(super) async fn begin(
        report: &mut Report<'_>,
        base: &Base,
        address: SocketAddr,
        namespace: &str,
        patience: Duration,
    ) -> Result<Option<Self>, Failure> {
        report.looks_at("opening a WebSocket");
        let began = Instant::now();
        let mut socket = match upgrade(base, address, patience).await {
            Ok(socket) => socket,
            Err(finding) => {
                report.tell(finding)?;
                return Ok(None);
            }
        };
        let took = began.elapsed();
        let read = next(&mut socket, patience).await.and_then(|frame| Ok(serde_json::from_value::<Challenge>(frame)?));
        let challenge = match read {
            Ok(challenge) => challenge,
            Err(why) => {
                let seen = format!("The socket opens, and no challenge comes: {why:#}.");
                let remedy = "This is no Wigwag server, or its path is another: the native protocol is at /v1.";
                report.tell(Finding::bad("websocket", seen).remedy(remedy))?;
                return Ok(None);
            }
        };
        let heard = SystemTime::now();
        report.tell(Finding::good("websocket", "It opens, and the server speaks wigwag.1.").took(took))?;
        report.tell(clock(heard, challenge.time, took))?;
        report.tell(name(base, address.ip(), &challenge.server))?;
        Self::prove(report, socket, &challenge, namespace, patience).await
    }

    async fn prove(
        report: &mut Report<'_>,
        mut socket: WebSocketStream<Box<dyn Line>>,
        challenge: &Challenge,
        namespace: &str,
        patience: Duration,
    ) -> Result<Option<Self>, Failure> {
        let entered = async {
            let own = identity::make()?;
            let key = own.key();
            let id = key.id().to_string();
            let Challenge { nonce, server, .. } = challenge;
            let statement = HelloStatement { server, nonce, namespace, id: &id, device: "", key: &key };
            let signature = own.sign(&statement.bytes());
            let mut hello = json!({"type": "hello", "n": 1, "key": key.to_string(), "signature": signature});
            if !namespace.is_empty() {
                hello["namespace"] = namespace.into();
            }
            let began = Instant::now();
            say(&mut socket, &hello).await?;
            let answer = next(&mut socket, patience).await?;
            anyhow::Ok((answer, began.elapsed()))
        };
        let (welcome, took) = match entered.await {
            Ok(entered) => entered,
            Err(why) => {
                report.tell(Finding::bad("auth", format!("The server ends the conversation: {why:#}.")))?;
                return Ok(None);
            }
        };
        if welcome["type"] != "welcome" {
            report.tell(refused("auth", &welcome))?;
            return Ok(None);
        }
        let id = welcome["id"].as_str().unwrap_or_default().to_owned();
        report.tell(Finding::good("auth", "A key that proves itself is let in.").took(took))?;
        Ok(Some(Self { socket, patience, welcome, id }))
    }

    /// Sees how fast the server answers.
    pub(super) async fn round_trip(&mut self, report: &mut Report<'_>) -> Result<(), Failure> {
        report.looks_at("asking some questions");
        let asked = async {
            let mut times = Vec::new();
            for n in 0..QUESTIONS {
                let began = Instant::now();
                say(&mut self.socket, &json!({"type": "find", "n": n + 2, "id": self.id})).await?;
                while next(&mut self.socket, self.patience).await?["re"] != n + 2 {}
                times.push(began.elapsed());
            }
            times.sort_unstable();
            anyhow::Ok(times)
        };
        report.tell(match asked.await {
            Ok(times) => {
                let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
                let seen = format!("Answers take {:.1} ms, at most {:.1}.", ms(median), ms(most));
                if median > Duration::from_millis(500) {
                    Finding::new("round trip", Verdict::Poor, seen).remedy(
                        "That is far away or overloaded: look at the server's metrics, or use one that is nearer.",
                    )
                } else {
                    Finding::good("round trip", seen)
                }
                .took(median)
            }
            Err(why) => Finding::bad("round trip", format!("Questions stay unanswered: {why:#}.")),
        })
    }

    /// Goes away, so that nobody waits for us.
    pub(super) async fn end(mut self) {
        // Whoever does not hear it finds out by itself.
        let _ = say(&mut self.socket, &json!({"type": "bye"})).await;
        let _ = timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }
}

/// Opens the WebSocket, or says why it does not open.
async fn upgrade(
    base: &Base,
    address: SocketAddr,
    patience: Duration,
) -> Result<WebSocketStream<Box<dyn Line>>, Finding> {
    let bad = |seen: String| Finding::bad("websocket", seen);
    let failed = |why: anyhow::Error| bad(format!("It does not open: {why:#}."));
    let (line, _) = reach::open(base, address, patience).await.map_err(failed)?;
    let mut request = base.to_string().into_client_request().map_err(|why| failed(why.into()))?;
    let subprotocol = http::HeaderValue::from_static(wigwag_wire::VERSION);
    request.headers_mut().insert("sec-websocket-protocol", subprotocol);
    let opened = timeout(patience, tokio_tungstenite::client_async(request, line)).await;
    let refusal = match opened {
        Ok(Ok((socket, _))) => return Ok(socket),
        Ok(Err(Error::Http(refusal))) => refusal,
        Ok(Err(why)) => {
            let remedy = match base.tls {
                true => "Something else listens on this port.",
                false => "Something else listens on this port, or it speaks TLS: try wss:// instead of ws://.",
            };
            return Err(failed(why.into()).remedy(remedy));
        }
        Err(_) => {
            let remedy =
                "Something between here and the server holds the upgrade back: let it pass `Upgrade` and `Connection`.";
            return Err(bad("The upgrade is not answered in time.".into()).remedy(remedy));
        }
    };
    let body = refusal.body().as_deref().unwrap_or_default();
    if let Ok(error) = serde_json::from_slice::<Value>(body)
        && error["code"].is_u64()
    {
        return Err(refused("websocket", &error));
    }
    let status = refusal.status();
    let remedy = match status.as_u16() {
        502..=504 => {
            "The proxy does not reach the server behind it: see that it runs, and where the proxy looks for it."
        }
        404 => "Nobody is at this path: the native protocol is at /v1, below the proxy's path if it has one.",
        200..=399 | 400 | 426 => {
            "Something in front of the server does not pass WebSockets on: let it pass `Upgrade` and `Connection`."
        }
        401 | 403 | 407 => "Something in front of the server wants to know who you are: let /v1 through without.",
        _ => "See the log of what stands in front of the server.",
    };
    Err(bad(format!("The upgrade is answered with {status}.")).remedy(remedy))
}

/// What the server's refusal says.
fn refused(check: &'static str, error: &Value) -> Finding {
    let number = error["code"].as_u64().and_then(|number| u16::try_from(number).ok());
    let Some(code) = number.and_then(Code::from_number) else {
        return Finding::bad(check, format!("The server answers something else than it should: {error}."));
    };
    let finding = Finding::new(
        check,
        if code.class() == Class::Wait { Verdict::Poor } else { Verdict::Bad },
        format!("Refused: {} {}. {}", code.number(), code.name(), code.meaning()),
    );
    finding.remedy(code.advice())
}

fn clock(heard: SystemTime, server: u64, took: Duration) -> Finding {
    let ours = heard.duration_since(UNIX_EPOCH).unwrap_or_default();
    let theirs = Duration::from_millis(server);
    let apart = ours.abs_diff(theirs).saturating_sub(took);
    let word = if ours > theirs { "ahead of" } else { "behind" };
    if apart > CLOCK {
        Finding::bad("clock", format!("This machine's clock is {} s {word} the server's.", apart.as_secs()))
            .remedy("Set the clock that is wrong (NTP): credentials for TURN and signed records run out by it.")
    } else {
        Finding::good("clock", format!("Both clocks agree within {:.1} s.", apart.as_secs_f64().max(0.1)))
    }
}

/// Whether the server calls itself what its clients call it.
fn name(base: &Base, address: IpAddr, server: &str) -> Finding {
    if server == base.host || (server == "localhost" && is_near(address)) {
        return Finding::good("name", format!("The server calls itself {server}."));
    }
    Finding::bad("name", format!("The server calls itself {server}, and the URL {}.", base.host)).remedy(
        "Clients sign for the name in their URL and will not answer another: set `server.public_url` at the server.",
    )
}

fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

async fn say(socket: &mut WebSocketStream<Box<dyn Line>>, frame: &Value) -> anyhow::Result<()> {
    Ok(socket.send(Message::text(frame.to_string())).await?)
}

/// The next frame of the server.
async fn next(socket: &mut WebSocketStream<Box<dyn Line>>, patience: Duration) -> anyhow::Result<Value> {
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(Some(close)))) => bail!("closed with {}", close.code),
                Some(Ok(Message::Close(None))) | None => bail!("closed"),
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(why.into()),
            }
        }
    };
    timeout(patience, read).await.map_err(|_| anyhow!("no answer in time"))?
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
