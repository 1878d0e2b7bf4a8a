//! The PROXY protocol, versions 1 and 2: the address that a proxy writes before everything else.
//!
//! [`step`] is pure and never asks for a byte beyond the header, so that nothing has to be put
//! back into the stream; the header's syntax is the crate `ppp`'s.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Exactly this many bytes more belong to the header at least.
    More(usize),
    /// The header is complete. No address means that the proxy speaks for itself or does not know.
    Done(Option<IpAddr>),
}

/// Why it is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It begins otherwise, or breaks the syntax.
    #[error("not a PROXY header")]
    Malformed,
    /// It is longer than any sensible one.
    #[error("PROXY header too long")]
    TooLong,
}

/// Looks at all bytes of the header read so far.
pub fn step(bytes: &[u8]) -> Result<Step, ProxyError> {
    if bytes.len() < SHORTEST {
        let begins = |start: &[u8]| start.iter().zip(bytes).all(|(a, b)| a == b);
        let possible = begins(V1_START) || begins(V2_START);
        return if possible { Ok(Step::More(SHORTEST - bytes.len())) } else { Err(ProxyError::Malformed) };
    }
    if bytes.starts_with(V2_START) {
        step_v2(bytes)
    } else if bytes.starts_with(V1_START) {
        step_v1(bytes)
    } else {
        Err(ProxyError::Malformed)
    }
}

/// Reads the header from the front of a stream, and not a byte more.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut bytes = Vec::with_capacity(SHORTEST);
    loop {
        match step(&bytes).map_err(io::Error::other)? {
            Step::Done(source) => return Ok(source),
            Step::More(n) => {
                let held = bytes.len();
                bytes.resize(held + n, 0);
                stream.read_exact(&mut bytes[held..]).await?;
            }
        }
    }
}

/// Both versions are longer than this, so it can be read before it is known which one it is.
const SHORTEST: usize = 12;
const V1_START: &[u8] = b"PROXY ";
const V1_LONGEST: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD: usize = 16;
/// Addresses take at most 216 bytes; the rest is for what proxies add about TLS and themselves.
const V2_LONGEST: usize = 4096;

fn step_v1(bytes: &[u8]) -> Result<Step, ProxyError> {
    if !bytes.ends_with(b"\r\n") {
        return if bytes.len() < V1_LONGEST { Ok(Step::More(1)) } else { Err(ProxyError::TooLong) };
    }
    let header = ppp::v1::Header::try_from(bytes).map_err(|_| ProxyError::Malformed)?;
    Ok(Step::Done(match header.addresses {
        ppp::v1::Addresses::Tcp4(ip) => Some(ip.source_address.into()),
        ppp::v1::Addresses::Tcp6(ip) => Some(ip.source_address.into()),
        ppp::v1::Addresses::Unknown => None,
    }))
}

fn step_v2(bytes: &[u8]) -> Result<Step, ProxyError> {
    let Some((head, rest)) = bytes.split_first_chunk::<V2_HEAD>() else {
        return Ok(Step::More(V2_HEAD - bytes.len()));
    };
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if V2_HEAD + length > V2_LONGEST {
        return Err(ProxyError::TooLong);
    }
    if rest.len() < length {
        return Ok(Step::More(length - rest.len()));
    }
    let header = ppp::v2::Header::try_from(bytes).map_err(|_| ProxyError::Malformed)?;
    let source = match header.addresses {
        ppp::v2::Addresses::IPv4(ip) => Some(ip.source_address.into()),
        ppp::v2::Addresses::IPv6(ip) => Some(ip.source_address.into()),
        ppp::v2::Addresses::Unspecified | ppp::v2::Addresses::Unix(_) => None,
    };
    Ok(Step::Done(source.filter(|_| header.command == ppp::v2::Command::Proxy)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn version_one_tells_the_source() {
        for (text, source) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n", Some("192.0.2.1")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", Some("2001:db8::1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN 1 2 3 4\r\n", None),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap(), (source.map(|s| s.parse().unwrap()), text.len()), "{text}");
        }
    }

    #[test]
    fn version_two_tells_the_source() {
        assert_eq!(read(&v2(0x21, 0x11, &v4_addresses())).unwrap(), (Some("192.0.2.1".parse().unwrap()), 28));
        let mut v6 = [0; 36];
        v6[0] = 0x20;
        assert_eq!(read(&v2(0x21, 0x21, &v6)).unwrap(), (Some("2000::".parse().unwrap()), 52));
    }

    #[test]
    fn a_health_check_of_the_proxy_itself_has_no_source() {
        assert_eq!(read(&v2(0x20, 0x00, &[])).unwrap(), (None, 16));
        assert_eq!(read(&v2(0x20, 0x11, &v4_addresses())).unwrap(), (None, 28));
        assert_eq!(read(&v2(0x21, 0x31, &[0; 216])).unwrap(), (None, 232));
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        let long_v1 = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let long_v2 = v2(0x21, 0x11, &[0; 5000]);
        for (bytes, error) in [
            (b"GET / HTTP/1.1\r\n".as_slice(), ProxyError::Malformed),
            (b"PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n", ProxyError::Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 70000\r\n", ProxyError::Malformed),
            (&v2(0x31, 0x11, &v4_addresses()), ProxyError::Malformed),
            (&v2(0x21, 0x11, &[0; 4]), ProxyError::Malformed),
            (long_v1.as_bytes(), ProxyError::TooLong),
            (&long_v2, ProxyError::TooLong),
        ] {
            assert_eq!(read(bytes).unwrap_err(), error);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_ask_for_much(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0..3usize) {
            let bytes = [[b"".as_slice(), V1_START, V2_START][start], &bytes].concat();
            if let Ok(Step::More(n)) = step(&bytes) {
                prop_assert!(n > 0 && bytes.len() + n <= V2_LONGEST);
            }
        }
    }

    /// Feeds exactly what is asked for; the source and the length of the header.
    fn read(bytes: &[u8]) -> Result<(Option<IpAddr>, usize), ProxyError> {
        let mut held = 0;
        loop {
            match step(&bytes[..held])? {
                Step::Done(source) => return Ok((source, held)),
                Step::More(n) => held += n,
            }
        }
    }

    fn v2(version_command: u8, family_protocol: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = V2_START.to_vec();
        bytes.extend([version_command, family_protocol]);
        bytes.extend((rest.len() as u16).to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn v4_addresses() -> [u8; 12] {
        [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 187]
    }
}
