//! The way to the server: its name, its addresses, its certificate.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rustls::CertificateError;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wigwag_conform::live::{Base, Line};
use wigwag_tls::{Shown, Trust};

use super::report::{Finding, Report, Verdict};
use crate::exit::{Exit, Failure};

/// So many addresses of a name are tried.
const ADDRESSES_MAX: usize = 8;

/// A certificate that runs out within this is worth a word.
const SOON: Duration = Duration::from_secs(14 * DAY);
const DAY: u64 = 24 * 60 * 60;

/// Looks the name up.
pub(super) async fn resolve(
    report: &mut Report<'_>,
    base: &Base,
    patience: Duration,
) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(ip) = base.host.parse::<IpAddr>() {
        report.tell(Finding::new("dns", Verdict::Skipped, "The URL names an address."))?;
        return Ok(vec![SocketAddr::new(ip, base.port)]);
    }
    report.looks_at("looking up the name");
    let began = Instant::now();
    let found = timeout(patience, tokio::net::lookup_host((base.host.as_str(), base.port))).await;
    let took = began.elapsed();
    let no_name = |seen: String| {
        Finding::bad("dns", seen).remedy("Check the spelling of the host, and that its DNS record exists.").took(took)
    };
    let addresses: Vec<SocketAddr> = match found {
        Err(_) => {
            report.tell(no_name(format!("No answer about {} in time.", base.host)))?;
            return Ok(Vec::new());
        }
        Ok(Err(why)) => {
            report.tell(no_name(format!("There is no address for {}: {why}.", base.host)))?;
            return Ok(Vec::new());
        }
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
    };
    let list = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    report.tell(Finding::good("dns", format!("{} is {list}.", base.host)).took(took))?;
    Ok(addresses)
}

/// Connects to each address, and keeps the first connection that came about.
pub(super) async fn connect(
    report: &mut Report<'_>,
    addresses: &[SocketAddr],
    patience: Duration,
) -> Result<Option<SocketAddr>, Failure> {
    let mut first = None;
    for address in addresses {
        report.looks_at(&format!("connecting to {address}"));
        let began = Instant::now();
        let tried = timeout(patience, TcpStream::connect(address)).await;
        let took = began.elapsed();
        let finding = match tried {
            Ok(Ok(_)) => {
                first.get_or_insert(*address);
                Finding::good("tcp", format!("{address} takes connections.")).took(took)
            }
            Ok(Err(why)) => unreached(*address, &why, addresses.len() > 1),
            Err(_) => Finding::bad("tcp", format!("{address} does not answer."))
                .remedy("A firewall drops what comes to this port: open it, at the server and at its provider."),
        };
        report.tell(finding)?;
    }
    Ok(first)
}

fn unreached(address: SocketAddr, why: &io::Error, has_others: bool) -> Finding {
    let finding = |remedy: &str| Finding::bad("tcp", format!("{address} cannot be reached: {why}.")).remedy(remedy);
    match why.kind() {
        io::ErrorKind::ConnectionRefused => {
            finding("Nothing listens there: start the server, check `server.listen`, or use another port.")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable if has_others => {
            // A machine with one family of addresses is nothing to mend.
            let seen = format!("{address} cannot be reached from here: {why}.");
            Finding::new("tcp", Verdict::Skipped, seen)
        }
        _ => finding("Check the address and the network between here and there."),
    }
}

/// A fresh connection to the server, with TLS where the URL says so, whatever its certificate is worth:
/// the other questions are worth asking all the same, and nothing secret is sent.
pub(super) async fn open(
    base: &Base,
    address: SocketAddr,
    patience: Duration,
) -> anyhow::Result<(Box<dyn Line>, Option<Certificate>)> {
    let opening = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        if !base.tls {
            return Ok((Box::new(tcp) as Box<dyn Line>, None));
        }
        let (judge, seen) = (Trust::of_this_machine().judge()?, Arc::new(Mutex::new(None)));
        let noted = Arc::clone(&seen);
        let config = wigwag_tls::looking(move |shown| {
            if let Ok(mut noted) = noted.lock() {
                *noted = Some(Certificate::of(shown, &judge));
            }
        });
        let name = ServerName::try_from(base.host.clone())?;
        let line = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let certificate = seen.lock().ok().and_then(|mut seen| seen.take());
        Ok::<_, anyhow::Error>((Box::new(line) as Box<dyn Line>, certificate))
    };
    timeout(patience, opening).await.map_err(|_| anyhow!("no answer in time"))?
}

/// Looks at the server's certificate.
pub(super) async fn tls(
    report: &mut Report<'_>,
    base: &Base,
    address: SocketAddr,
    patience: Duration,
) -> Result<bool, Failure> {
    if !base.tls {
        let finding = if address.ip().is_loopback() {
            Finding::new("tls", Verdict::Skipped, "This machine itself needs none.")
        } else {
            Finding::new("tls", Verdict::Poor, "The URL asks for none.")
                .remedy("Pages from https:// may not use it, and whoever carries the bytes sees who meets whom: serve TLS, by `--tls-cert` and `--tls-key` or by a proxy.")
        };
        report.tell(finding)?;
        return Ok(true);
    }
    report.looks_at("shaking hands");
    let began = Instant::now();
    let opened = open(base, address, patience).await;
    let took = began.elapsed();
    let certificate = match opened {
        Ok((_, certificate)) => certificate,
        Err(why) => {
            let finding = Finding::bad("tls", format!("The handshake fails: {why:#}."))
                .remedy("Something else listens on this port, or it speaks no TLS: try ws:// instead of wss://.");
            report.tell(finding)?;
            return Ok(false);
        }
    };
    let certificate = certificate.ok_or_else(|| Exit::Failed.because(anyhow!("no certificate was seen")))?;
    report.tell(certificate.finding(&base.host).took(took))?;
    Ok(true)
}

/// What a certificate is worth.
pub(super) struct Certificate {
    /// For how long it goes on being good, or why it is not.
    good_for: Result<Duration, rustls::Error>,
}

impl Certificate {
    fn of(shown: &Shown<'_>, judge: &WebPkiServerVerifier) -> Self {
        let at = |left: u64| UnixTime::since_unix_epoch(Duration::from_secs(shown.now.as_secs() + left));
        let good_for = shown.judged_by(judge, shown.now).map(|()| {
            // The last second at which the whole chain is good: no field of the certificate has to be read for that.
            let (mut good, mut bad) = (0, 10 * 365 * DAY);
            while bad - good > 60 {
                let middle = u64::midpoint(good, bad);
                if shown.judged_by(judge, at(middle)).is_ok() { good = middle } else { bad = middle }
            }
            Duration::from_secs(good)
        });
        Self { good_for }
    }

    fn finding(&self, host: &str) -> Finding {
        let days = |left: Duration| left.as_secs() / DAY;
        match &self.good_for {
            Ok(left) if *left < SOON => Finding::new(
                "tls",
                Verdict::Poor,
                format!("The certificate is good for {} more days only.", days(*left)),
            )
            .remedy("Renew it; the server reads it anew on SIGHUP."),
            Ok(left) => Finding::good("tls", format!("The certificate is good, for {} days.", days(*left))),
            Err(rustls::Error::InvalidCertificate(why)) => {
                let remedy = match why {
                    CertificateError::Expired | CertificateError::ExpiredContext { .. } => "It has run out: renew it.",
                    CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                        "It is not valid yet: check the clocks of both machines."
                    }
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                        "It is for another name: get one for this host, or use the name that it is for."
                    }
                    CertificateError::UnknownIssuer => {
                        "Nobody whom this machine trusts has signed it: serve the whole chain (`fullchain.pem`), or have it signed by an authority."
                    }
                    _ => "Browsers refuse it, too, as they do if it signed itself: get one from an authority.",
                };
                Finding::bad("tls", format!("The certificate for {host} is refused: {why}.")).remedy(remedy)
            }
            Err(why) => Finding::bad("tls", format!("The certificate for {host} is refused: {why}.")),
        }
    }
}
