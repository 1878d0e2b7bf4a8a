//! Reaching a server by its URL, with TLS where the URL says so.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use wigwag_conform::live::Line;

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Tried in order.
    Addresses(Vec<SocketAddr>),
    /// A host and a port.
    Name(String, u16),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// Connects. With a name, speaks TLS to the server of that name, whose certificate is not checked.
pub(super) async fn connect(place: &Place, tls: Option<&str>) -> anyhow::Result<Box<dyn Line>> {
    let tcp = match place {
        Place::Addresses(addresses) => TcpStream::connect(addresses.as_slice()).await,
        Place::Name(host, port) => TcpStream::connect((host.as_str(), *port)).await,
        Place::Unix(socket) => {
            return Ok(Box::new(UnixStream::connect(socket).await.context("nobody listens there")?));
        }
    };
    let tcp = tcp.context("nobody listens there")?;
    // Each frame is answered before the next is written; waiting to fill a packet would only cost time.
    tcp.set_nodelay(true)?;
    let Some(host) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned())?;
    Ok(Box::new(tls_connector()?.connect(name, tcp).await.context("TLS failed")?))
}

fn tls_connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.signature_verification_algorithms));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes any certificate. The question is what the server answers, not who it is; nothing secret is sent and
/// a machine that asks itself as "localhost" cannot have a certificate for that name.
#[derive(Debug)]
struct AnyCertificate(rustls::crypto::WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_schemes()
    }
}
