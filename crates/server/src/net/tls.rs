//! TLS with certificates from PEM files, which are read again when they change; what a connection does with them is `tls_stream`.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};

use super::NetMetrics;
use super::stream::Stream;
use super::tls_stream::TlsStream;

/// The certificate of the server's TLS listeners. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    cert: PathBuf,
    key: PathBuf,
    /// What the files looked like before they were read.
    loaded: [Option<Fingerprint>; 2],
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM file.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        error: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("no certificate in {}", .0.display())]
    Empty(PathBuf),
    /// Key and certificate do not fit, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl Tls {
    /// Loads a certificate chain and its key.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let loaded = Fingerprint::of_both(cert, key);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current =
            Arc::new(Current { key: RwLock::new(load(cert, key, &provider)?), provider: Arc::clone(&provider) });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Whoever comes back after a restart of the network resumes without a signature of ours;
        // the client keeps the state, not we.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), current, cert: cert.into(), key: key.into(), loaded })
    }

    /// Looks at the files again and again, and takes the new certificate if there is one. A bad
    /// one is logged, and the old one kept.
    pub async fn watch(self, every: Duration, metrics: NetMetrics) {
        let mut seen = self.loaded;
        loop {
            tokio::time::sleep(every).await;
            let now = self.fingerprint().await;
            if now == seen {
                continue;
            }
            seen = now;
            let this = self.clone();
            let loaded = tokio::task::spawn_blocking(move || this.reload()).await;
            match loaded {
                Ok(Ok(())) => {
                    tracing::info!("took the new certificate");
                    NetMetrics::count(&metrics.tls_reloads, "taken");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the new certificate is bad, keeping the old one");
                    NetMetrics::count(&metrics.tls_reloads, "bad");
                }
                Err(_) => return,
            }
        }
    }

    /// Takes what is in the files now, or leaves everything as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let key = load(&self.cert, &self.key, &self.current.provider)?;
        *self.current.key.write() = key;
        Ok(())
    }

    /// Shakes hands on a connection.
    pub(crate) async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let mut stream = self.begin(stream)?;
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(Stream::Owned(stream))
    }

    /// A connection whose handshake is to come.
    pub(crate) fn begin<S>(&self, stream: S) -> io::Result<Box<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsStream::new(stream, Arc::clone(&self.config)).map(Box::new).map_err(io::Error::other)
    }

    async fn fingerprint(&self) -> [Option<Fingerprint>; 2] {
        let (cert, key) = (self.cert.clone(), self.key.clone());
        let look = move || Fingerprint::of_both(&cert, &key);
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

/// What tells that a file was written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    modified: SystemTime,
    len: u64,
    inode: u64,
}

impl Fingerprint {
    fn of_both(cert: &Path, key: &Path) -> [Option<Self>; 2] {
        [cert, key].map(|path| Self::of(path).ok())
    }

    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(path)?;
        Ok(Self { modified: meta.modified()?, len: meta.len(), inode: meta.ino() })
    }
}

#[derive(Debug)]
struct Current {
    key: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key.read()))
    }
}

fn load(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let of = |path: &Path| {
        let path = path.to_owned();
        |error| TlsError::File { path, error }
    };
    let chain =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(of(cert))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(cert.into()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(of(key))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, provider)?))
}
