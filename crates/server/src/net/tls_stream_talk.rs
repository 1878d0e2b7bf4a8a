//! A server and a client of rustls that talk through memory, one step after the other.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::LazyLock;
use std::task::Waker;

use parking_lot::Mutex;
use rcgen::generate_simple_self_signed;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use super::super::*;
use crate::net::Tls;

pub(super) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A server and a client of rustls, and the wire between them.
pub(super) struct Talk {
    pub(super) server: Box<TlsStream<Wire>>,
    pub(super) client: ClientConnection,
    pub(super) wire: Wire,
}

impl Talk {
    pub(super) fn open(version: &'static SupportedProtocolVersion) -> Self {
        let mut talk = Self::begin(&client_config(version));
        talk.shake_hands().unwrap();
        talk
    }

    pub(super) fn begin(config: &Arc<ClientConfig>) -> Self {
        let wire = Wire::default();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
        client.set_buffer_limit(None);
        Self { server: SERVER.tls.begin(wire.clone()).unwrap(), client, wire }
    }

    pub(super) fn poll_handshake(&mut self) -> Poll<io::Result<()>> {
        self.server.poll_handshake(&mut context())
    }

    /// The handshake, and the tickets behind it.
    pub(super) fn shake_hands(&mut self) -> io::Result<()> {
        for _ in 0..100_000 {
            self.client_sends();
            let polled = self.poll_handshake();
            self.client_receives().map_err(io::Error::other)?;
            if polled?.is_ready() && !self.client.is_handshaking() && !self.client.wants_write() {
                return Ok(());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(super) fn client_sends(&mut self) {
        let mut records = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut records).unwrap();
        }
        self.wire.lock().to_server.extend(records);
    }

    pub(super) fn client_receives(&mut self) -> Result<(), rustls::Error> {
        let records = mem::take(&mut self.wire.lock().to_client);
        let mut rest = records.as_slice();
        while !rest.is_empty() && self.client.wants_read() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets()?;
        }
        self.wire.lock().to_client.splice(..0, rest.iter().copied());
        Ok(())
    }

    pub(super) fn client_says(&mut self, bytes: &[u8]) {
        self.client.writer().write_all(bytes).unwrap();
        self.client_sends();
    }

    pub(super) fn client_hears(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        loop {
            self.client_receives().unwrap();
            let before = heard.len();
            let end = self.client.reader().read_to_end(&mut heard);
            if heard.len() == before || end.is_ok() {
                return heard;
            }
        }
    }

    /// All that is there, read into buffers of `room` bytes.
    pub(super) fn server_hears(&mut self, room: usize) -> io::Result<Vec<u8>> {
        let mut heard = Vec::new();
        let mut buffer = vec![0; room];
        while let Some(more) = self.server_reads(&mut buffer)?.filter(|more| !more.is_empty()) {
            heard.extend(more);
        }
        Ok(heard)
    }

    /// What is read at once; `None` if nothing is there.
    pub(super) fn server_reads(&mut self, buffer: &mut [u8]) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.server).poll_read(&mut context(), &mut buffer)? {
            Poll::Ready(()) => Ok(Some(buffer.filled().into())),
            Poll::Pending => Ok(None),
        }
    }

    pub(super) fn server_says(&mut self, bytes: &[u8]) {
        let mut said = 0;
        while said < bytes.len() {
            said += self.try_to_say(&bytes[said..]).unwrap_or_default();
        }
        while self.flush().is_pending() {}
    }

    pub(super) fn try_to_say(&mut self, bytes: &[u8]) -> Option<usize> {
        self.server_writes(bytes).unwrap()
    }

    pub(super) fn server_writes(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match Pin::new(&mut *self.server).poll_write(&mut context(), bytes)? {
            Poll::Ready(n) => Ok(Some(n)),
            Poll::Pending => Ok(None),
        }
    }

    pub(super) fn flush(&mut self) -> Poll<()> {
        Pin::new(&mut *self.server).poll_flush(&mut context()).map(Result::unwrap)
    }

    pub(super) fn server_shuts(&mut self) {
        assert!(Pin::new(&mut *self.server).poll_shutdown(&mut context()).map(Result::unwrap).is_ready());
        assert!(self.wire.lock().shut);
        self.client_receives().unwrap();
    }
}

impl<S> TlsStream<S> {
    pub(super) fn held(&self) -> usize {
        self.sealed.capacity() + self.opened.capacity() + self.outgoing.capacity()
    }
}

/// Two directions of bytes that wait to be read.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<OnWire>>);

pub(super) struct OnWire {
    pub(super) to_server: VecDeque<u8>,
    pub(super) to_client: Vec<u8>,
    /// How much one read gives.
    pub(super) at_once: usize,
    /// How much one write takes, and how much all take together.
    pub(super) takes_at_once: usize,
    pub(super) takes: usize,
    /// The client sends nothing more.
    pub(super) ended: bool,
    /// Nor does the server.
    pub(super) shut: bool,
}

impl Default for Wire {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(OnWire {
            to_server: VecDeque::new(),
            to_client: Vec::new(),
            at_once: usize::MAX,
            takes_at_once: usize::MAX,
            takes: usize::MAX,
            ended: false,
            shut: false,
        })))
    }
}

impl std::ops::Deref for Wire {
    type Target = Mutex<OnWire>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.lock();
        if wire.to_server.is_empty() && !wire.ended {
            return Poll::Pending;
        }
        let n = wire.to_server.len().min(wire.at_once).min(buf.remaining());
        wire.to_server.drain(..n).for_each(|byte| buf.put_slice(&[byte]));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.lock();
        let n = buf.len().min(wire.takes).min(wire.takes_at_once);
        if n == 0 {
            return Poll::Pending;
        }
        wire.to_client.extend_from_slice(&buf[..n]);
        if wire.takes < usize::MAX {
            wire.takes -= n;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().shut = true;
        Poll::Ready(Ok(()))
    }
}

/// The server's configuration, and the certificate that clients trust.
struct Server {
    tls: Tls,
    cert: CertificateDer<'static>,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Server { tls: Tls::load(&cert, &key).unwrap(), cert: made.cert.der().clone() }
});

pub(super) fn client_config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(SERVER.cert.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".into()];
    Arc::new(config)
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Bytes that repeat late.
pub(super) fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

pub(super) fn record_count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(header) = bytes.first_chunk::<5>() {
        bytes = &bytes[5 + usize::from(u16::from_be_bytes([header[3], header[4]]))..];
        count += 1;
    }
    count
}
