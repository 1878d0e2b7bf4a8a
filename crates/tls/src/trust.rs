//! Authorities whose word for a server is taken.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::VerifierBuilderError;
use rustls::{ClientConfig, RootCertStore};

use crate::{begin, provider};

/// Who may vouch for a server.
#[derive(Clone, Debug)]
pub struct Trust(RootCertStore);

impl Trust {
    /// Whom this machine trusts. An authority that cannot be read is one that does not help.
    pub fn of_this_machine() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(store)
    }

    /// Nobody, to begin with.
    pub fn nobody() -> Self {
        Self(RootCertStore::empty())
    }

    /// Trusts these certificates (PEM), too. All that can be used are taken in; the first that cannot is told.
    pub fn add(&mut self, pem: &[u8]) -> Result<(), Unusable> {
        let mut first = Ok(());
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let added = match certificate {
                Ok(certificate) => self.0.add(certificate).map_err(|why| Unusable(why.to_string())),
                Err(why) => Err(Unusable(why.to_string())),
            };
            first = first.and(added);
        }
        first
    }

    /// Speaks to servers that one of these vouches for.
    pub fn config(self) -> Arc<ClientConfig> {
        Arc::new(begin().with_root_certificates(self.0).with_no_client_auth())
    }

    /// Says of a certificate whether one of these vouches for it.
    pub fn judge(self) -> Result<Arc<WebPkiServerVerifier>, NobodyTrusted> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(self.0), provider()).build().map_err(|why| match why {
            VerifierBuilderError::NoRootAnchors => NobodyTrusted,
            _ => unreachable!("there are no lists of revoked certificates here"),
        })
    }

    /// The same, unless there is nobody who could vouch for any server: then every handshake would fail and name the server as the reason.
    pub fn somebody(self) -> Result<Self, NobodyTrusted> {
        if self.0.is_empty() { Err(NobodyTrusted) } else { Ok(self) }
    }
}

/// A certificate of an authority that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a root certificate cannot be used: {0}")]
pub struct Unusable(String);

/// No authority is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this machine trusts no authority: install its certificates (`ca-certificates`)")]
pub struct NobodyTrusted;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_bad_root_is_told_and_the_good_ones_are_taken() {
        let good = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.pem();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let mut trust = Trust::nobody();
        assert!(trust.add(format!("{bad}{good}").as_bytes()).is_err());
        assert_eq!(trust.0.len(), 1);
        assert_eq!(trust.add(good.as_bytes()), Ok(()));
        assert_eq!(trust.add(b"no certificate at all"), Ok(()), "a file of notes harms nobody");
        assert!(trust.somebody().unwrap().judge().is_ok());
    }

    #[test]
    fn a_machine_that_trusts_nobody_says_so() {
        assert_eq!(Trust::nobody().judge().err(), Some(NobodyTrusted));
        assert_eq!(Trust::nobody().somebody().err(), Some(NobodyTrusted));
    }
}
