//! One address borrowed from a TURN server, and given back.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use turn_client_proto::api::{TurnConfig, TurnEvent, TurnPollRet};
use turn_client_proto::prelude::*;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::stun::attribute::ErrorCode;
use turn_client_proto::types::stun::message::Message;
use turn_client_proto::types::{Instant, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;
use wigwag::IceTransport as Transport;

use super::ice::Server;
use crate::web::strict_tls;

/// What became of asking.
pub(super) enum Allocated {
    /// It lends this address.
    At(SocketAddr),
    /// It does not; with its last error code, where it told one.
    Refused(Option<u16>),
}

/// Asks for an address and gives it back at once.
pub(super) async fn allocate(server: &Server, address: SocketAddr) -> anyhow::Result<Allocated> {
    let config = TurnConfig::new(TurnCredentials::new(&server.username, &server.credential));
    match &server.of.transport {
        Transport::Stun | Transport::TurnUdp => {
            let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            let client = TurnClientUdp::allocate(socket.local_addr()?, address, config);
            ask(client, Datagrams(socket)).await
        }
        Transport::TurnTcp => {
            let tcp = TcpStream::connect(address).await?;
            let client = TurnClientTcp::allocate(tcp.local_addr()?, address, config);
            ask(client, Stream(tcp)).await
        }
        Transport::TurnTls(name) => {
            let tcp = TcpStream::connect(address).await?;
            let client = TurnClientTcp::allocate(tcp.local_addr()?, address, config);
            let name = name.clone().try_into()?;
            let tls = strict_tls()?.connect(name, tcp).await?;
            ask(client, Stream(tls)).await
        }
    }
}

/// What carries bytes to the server.
trait Pipe {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()>;
    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

struct Datagrams(UdpSocket);

impl Pipe for Datagrams {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes).await.map(drop)
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer).await
    }
}

struct Stream<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe for Stream<S> {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(length),
        }
    }
}

async fn ask(mut client: impl TurnClientApi, mut pipe: impl Pipe) -> anyhow::Result<Allocated> {
    let began = Clock::now();
    let now = || Instant::from_std(began);
    let mut buffer = vec![0; 4096];
    let mut code = None;
    loop {
        let wait = match client.poll(now()) {
            TurnPollRet::Closed => return Ok(Allocated::Refused(code)),
            TurnPollRet::WaitUntil(until) => until.checked_duration_since(now()).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let mut spoke = false;
        while let Some(transmit) = client.poll_transmit(now()) {
            pipe.send(&transmit.data).await?;
            spoke = true;
        }
        while let Some(event) = client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, relayed) => {
                    // It would run out by itself; whoever asks often is glad to have it back.
                    if client.delete(now()).is_ok()
                        && let Some(transmit) = client.poll_transmit(now())
                    {
                        pipe.send(&transmit.data).await?;
                    }
                    return Ok(Allocated::At(relayed));
                }
                TurnEvent::AllocationCreateFailed(_) => return Ok(Allocated::Refused(code)),
                _ => {}
            }
        }
        if spoke {
            continue;
        }
        let Ok(came) = timeout(wait.max(Duration::from_millis(1)), pipe.receive(&mut buffer)).await else { continue };
        let bytes = &buffer[..came?];
        if let Ok(message) = Message::from_bytes(bytes)
            && let Ok(error) = message.attribute::<ErrorCode>()
        {
            // The first 401 is how a server asks who we are; the next one is its opinion of the answer.
            if code == Some(401) && error.code() == 401 {
                return Ok(Allocated::Refused(code));
            }
            code = Some(error.code());
        }
        let transport = client.transport();
        let (from, to) = (client.remote_addr(), client.local_addr());
        client.recv(Transmit::new(bytes, transport, from, to), now());
    }
}
