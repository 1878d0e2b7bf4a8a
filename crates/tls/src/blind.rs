//! Any certificate will do: where the question is what a server answers or bears and not who it is, and nothing secret is sent.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::{begin, provider};

/// Takes any certificate. A machine that asks itself as "localhost" cannot have one for that name.
pub fn blind() -> ClientConfig {
    looking(|_| {})
}

/// Takes any certificate, and shows each.
pub fn looking(look: impl Fn(&Shown<'_>) + Send + Sync + 'static) -> ClientConfig {
    let verifier = Any { look, algorithms: provider().signature_verification_algorithms };
    begin().dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
}

/// A certificate as a server shows it.
pub struct Shown<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    server: &'a ServerName<'a>,
    ocsp: &'a [u8],
    /// When that is.
    pub now: UnixTime,
}

impl Shown<'_> {
    /// What it is worth at this time to this judge.
    pub fn judged_by(&self, judge: &WebPkiServerVerifier, at: UnixTime) -> Result<(), Error> {
        judge.verify_server_cert(self.end_entity, self.intermediates, self.server, self.ocsp, at).map(drop)
    }
}

struct Any<F> {
    look: F,
    algorithms: WebPkiSupportedAlgorithms,
}

impl<F: Fn(&Shown<'_>) + Send + Sync> ServerCertVerifier for Any<F> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        (self.look)(&Shown { end_entity, intermediates, server, ocsp, now });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl<F> fmt::Debug for Any<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Any")
    }
}
