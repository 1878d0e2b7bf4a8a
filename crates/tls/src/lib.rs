//! TLS as clients speak it: whom they trust, and how to reach a server whose certificate nobody checks.
//!
//! Everything here ends in a [`ClientConfig`]. Sockets, names of servers and the handshake are the caller's; the server's own
//! side of TLS stands in `wigwag-server`.

mod blind;
mod trust;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;

pub use blind::{Shown, blind, looking};
pub use trust::{NobodyTrusted, Trust, Unusable};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// The beginning of every configuration.
fn begin() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| unreachable!("this provider has the ciphers of these versions"))
}
