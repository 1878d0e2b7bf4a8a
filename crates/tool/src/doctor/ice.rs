//! How two peers would meet: which STUN and TURN servers are named, whether they answer, and what kind of NAT is
//! between.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;
use turn_client_proto::types::stun::attribute::XorMappedAddress;
use turn_client_proto::types::stun::message::{BINDING, Message, MessageWriteVec};
use turn_client_proto::types::stun::prelude::MessageWrite;
use wigwag::{IceTransport as Transport, IceUrl};

use super::report::{Finding, Report, Verdict};
use super::turn::{self, Allocated};
use crate::exit::Failure;

/// So many of the servers that are named are asked.
const SERVERS_MAX: usize = 8;

/// A lost datagram is sent again after this.
const AGAIN: Duration = Duration::from_millis(500);

/// An entry of `ice`, as an `RTCConfiguration` has it.
#[derive(Deserialize)]
struct Entry {
    urls: Urls,
    #[serde(default)]
    username: String,
    #[serde(default)]
    credential: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

/// A STUN or TURN server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) of: IceUrl,
    pub(super) username: String,
    pub(super) credential: String,
}

/// Asks every STUN and TURN server that the server names.
pub(super) async fn examine(report: &mut Report<'_>, welcome: &Value, patience: Duration) -> Result<(), Failure> {
    let entries: Vec<Entry> = serde_json::from_value(welcome["ice"].clone()).unwrap_or_default();
    let servers: Vec<Server> = entries.iter().flat_map(Server::of).take(SERVERS_MAX).collect();
    let mapped = stun(report, &servers, patience).await?;
    nat(report, &mapped)?;
    turn(report, &servers, patience).await
}

async fn stun(report: &mut Report<'_>, servers: &[Server], patience: Duration) -> Result<Vec<Mapped>, Failure> {
    let mut mapped = Vec::new();
    let asked: Vec<&Server> = servers.iter().filter(|server| server.mirrors()).collect();
    if !asked.iter().any(|server| !server.relays()) {
        report.tell(
            Finding::new("stun", Verdict::Poor, "The server names no STUN server.")
                .remedy("Peers behind NATs learn their addresses from one: set `ice.stun`."),
        )?;
    }
    // One socket for all, because whether they see the same address of it is the question.
    let sockets = match Sockets::bind().await {
        Ok(sockets) => sockets,
        Err(why) => {
            report.tell(Finding::new("stun", Verdict::Skipped, format!("There is no UDP here: {why}.")))?;
            return Ok(mapped);
        }
    };
    for server in asked {
        report.looks_at(&format!("asking {}", server.url));
        let began = Instant::now();
        let answer = timeout(patience, sockets.ask(server)).await;
        let took = began.elapsed();
        let failed = |seen: String| Finding::bad("stun", seen);
        let finding = match answer {
            Ok(Ok(seen)) => {
                let said = format!("{} sees this machine at {}.", server.url, seen.outside.ip());
                mapped.push(seen);
                Finding::good("stun", said).took(took)
            }
            Ok(Err(why)) => failed(format!("{} cannot be asked: {why}.", server.url))
                .remedy("Check the name and the port that `ice` holds."),
            Err(_) => failed(format!("{} does not answer.", server.url)).remedy(
                "It is down, or UDP does not leave this network: then peers here need TURN over TCP or TLS, or the relay.",
            ),
        };
        // A TURN server over UDP is a STUN server, too, and is told of by itself.
        if !server.relays() {
            report.tell(finding)?;
        }
    }
    Ok(mapped)
}

/// What an address looks like from outside.
struct Mapped {
    /// Whom it was asked of.
    server: SocketAddr,
    inside: SocketAddr,
    outside: SocketAddr,
}

fn nat(report: &mut Report<'_>, mapped: &[Mapped]) -> Result<(), Failure> {
    let v4: Vec<&Mapped> = mapped.iter().filter(|mapped| mapped.outside.is_ipv4()).collect();
    let servers: BTreeSet<SocketAddr> = v4.iter().map(|mapped| mapped.server).collect();
    let outside: BTreeSet<SocketAddr> = v4.iter().map(|mapped| mapped.outside).collect();
    let finding = if v4.is_empty() {
        Finding::new("nat", Verdict::Skipped, "No server told an IPv4 address.")
    } else if v4.iter().any(|mapped| mapped.outside == mapped.inside) {
        Finding::good(
            "nat",
            "There is none: this machine is reached at its own address, as far as no firewall forbids it.",
        )
    } else if servers.len() < 2 {
        Finding::new("nat", Verdict::Skipped, "There is one; its kind shows only if two STUN servers are asked.")
            .remedy("Name a second one in `ice.stun` to find out.")
    } else if outside.len() == 1 {
        Finding::good("nat", "There is one, with the same address towards everybody: peers meet directly.")
    } else {
        Finding::new("nat", Verdict::Poor, "There is one, with another address towards everybody (symmetric).")
            .remedy("Peers here meet others of the kind only through TURN or the relay: see that one is offered.")
    };
    report.tell(finding)
}

async fn turn(report: &mut Report<'_>, servers: &[Server], patience: Duration) -> Result<(), Failure> {
    let relays: Vec<&Server> = servers.iter().filter(|server| server.relays()).collect();
    if relays.is_empty() {
        return report.tell(
            Finding::new("turn", Verdict::Poor, "The server names no TURN server.")
                .remedy("About one pair in ten cannot meet without one: set up coturn and `ice.turn`."),
        );
    }
    for server in relays {
        report.looks_at(&format!("asking {} for an address", server.url));
        let began = Instant::now();
        let allocated = timeout(patience, async {
            let address = server.resolve(|_| true).await?;
            turn::allocate(server, address).await
        });
        let finding = match allocated.await {
            Ok(Ok(Allocated::At(relayed))) => {
                Finding::good("turn", format!("{} lends an address ({}).", server.url, relayed.ip())).took(began.elapsed())
            }
            Ok(Ok(Allocated::Refused(Some(401)))) => {
                Finding::bad("turn", format!("{} refuses the credentials that the server made.", server.url))
                    .remedy("The secret in `ice.turn` is not the one that the TURN server has (`static-auth-secret`), or a clock is wrong.")
            }
            Ok(Ok(Allocated::Refused(code))) => {
                let code = code.map_or(String::new(), |code| format!(" with {code}"));
                Finding::bad("turn", format!("{} refuses{code}.", server.url)).remedy("See the TURN server's log.")
            }
            Ok(Err(why)) => Finding::bad("turn", format!("{} cannot be asked: {why:#}.", server.url))
                .remedy("Check the name, the port and the certificate that `ice` and the TURN server have."),
            Err(_) => Finding::bad("turn", format!("{} does not answer.", server.url))
                .remedy("It is down, or a firewall is between: open its port, and offer it over TLS on 443 as well."),
        };
        report.tell(finding)?;
    }
    Ok(())
}

impl Server {
    fn of(entry: &Entry) -> Vec<Self> {
        let urls = match &entry.urls {
            Urls::One(url) => std::slice::from_ref(url),
            Urls::Many(urls) => urls,
        };
        urls.iter().filter_map(|url| Self::parse(url, entry)).collect()
    }

    fn parse(url: &str, entry: &Entry) -> Option<Self> {
        Some(Self {
            url: url.to_owned(),
            of: IceUrl::read(url)?,
            username: entry.username.clone(),
            credential: entry.credential.clone(),
        })
    }

    /// Whether it lends addresses.
    fn relays(&self) -> bool {
        self.of.transport != Transport::Stun
    }

    /// Whether it tells how we look from there: a TURN server over UDP does, too.
    fn mirrors(&self) -> bool {
        matches!(self.of.transport, Transport::Stun | Transport::TurnUdp)
    }

    /// The first of its addresses that will do.
    async fn resolve(&self, will_do: impl Fn(&SocketAddr) -> bool) -> io::Result<SocketAddr> {
        let found = lookup_host((self.of.host.as_str(), self.of.port)).await?.find(will_do);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "it has no address of a kind that is here"))
    }
}

/// A socket for each kind of address.
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    async fn bind() -> io::Result<Self> {
        let v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        let v6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await.ok();
        match (v4, v6) {
            (Err(why), None) => Err(why),
            (v4, v6) => Ok(Self { v4: v4.ok(), v6 }),
        }
    }

    fn for_address(&self, address: &SocketAddr) -> Option<&UdpSocket> {
        if address.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    /// Asks how this socket looks from there.
    async fn ask(&self, server: &Server) -> io::Result<Mapped> {
        let address = server.resolve(|address| self.for_address(address).is_some()).await?;
        let Some(socket) = self.for_address(&address) else { return Err(io::ErrorKind::AddrNotAvailable.into()) };
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let mut buffer = [0; 1500];
        loop {
            socket.send_to(&request, address).await?;
            let Ok(came) = timeout(AGAIN, socket.recv_from(&mut buffer)).await else { continue };
            let (length, from) = came?;
            let Ok(answer) = Message::from_bytes(&buffer[..length]) else { continue };
            let asked = Message::from_bytes(&request)
                .is_ok_and(|request| from == address && answer.transaction_id() == request.transaction_id());
            let seen = answer.attribute::<XorMappedAddress>().map(|seen| seen.addr(answer.transaction_id()));
            if let (true, Ok(outside)) = (asked, seen) {
                return Ok(Mapped { server: address, inside: inside(socket, address).await?, outside });
            }
        }
    }
}

/// Which of this machine's addresses a datagram for `to` leaves from.
async fn inside(socket: &UdpSocket, to: SocketAddr) -> io::Result<SocketAddr> {
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    probe.connect(to).await?;
    Ok(SocketAddr::new(probe.local_addr()?.ip(), socket.local_addr()?.port()))
}
