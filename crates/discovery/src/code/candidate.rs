//! Candidates: the places where a peer can be reached, as bytes and as lines of a description.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ReadError;
use super::body::Reader;

/// One place where a peer can be reached.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The host.
    pub address: Address,
    /// The port, never 0.
    pub port: u16,
    /// How it was learned.
    pub kind: Type,
    /// What carries it.
    pub transport: Transport,
}

/// The host of a candidate.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// An address; never an IPv4 address written as IPv6.
    Ip(IpAddr),
    /// A random name of multicast DNS, a UUID under `.local`.
    Uuid([u8; 16]),
    /// Another name of letters, digits, dots and hyphens.
    Name(String),
}

/// How a candidate was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// From the machine's own networks.
    Host,
    /// From a STUN server.
    ServerReflexive,
    /// It is a port of a TURN server.
    Relay,
}

/// What carries a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, and this side listens.
    TcpPassive,
    /// TCP, opened by both sides at once.
    TcpSimultaneous,
}

const NAME_BYTES_MAX: usize = 253;
const UUID_SUFFIX: &str = ".local";

impl Candidate {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let form = match &self.address {
            Address::Ip(IpAddr::V4(_)) => 0,
            Address::Ip(IpAddr::V6(_)) => 1,
            Address::Uuid(_) => 2,
            Address::Name(_) => 3,
        };
        out.push(form | (self.kind as u8) << 2 | (self.transport as u8) << 4);
        match &self.address {
            Address::Ip(IpAddr::V4(address)) => out.extend(address.octets()),
            Address::Ip(IpAddr::V6(address)) => out.extend(address.octets()),
            Address::Uuid(uuid) => out.extend(uuid),
            Address::Name(name) => {
                out.push(name.len() as u8);
                out.extend(name.bytes());
            }
        }
        out.extend(self.port.to_be_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let malformed = ReadError::Malformed("candidate");
        let head = reader.byte()?;
        let kind = *Type::ALL.get(usize::from(head >> 2 & 3)).ok_or(malformed)?;
        let transport = *Transport::ALL.get(usize::from(head >> 4)).ok_or(malformed)?;
        let address = match head & 3 {
            0 => Address::Ip(Ipv4Addr::from(reader.array()?).into()),
            1 => Address::Ip(Ipv6Addr::from(reader.array()?).into()),
            2 => Address::Uuid(reader.array()?),
            _ => {
                let length = reader.byte()?;
                let name = reader.take(usize::from(length))?;
                Address::Name(String::from_utf8(name.to_vec()).map_err(|_| malformed)?)
            }
        };
        let port = u16::from_be_bytes(reader.array()?);
        // Read back from its own text, an address is in the form that fits it best.
        if port == 0 || Address::parse(&address.to_string()).as_ref() != Some(&address) {
            return Err(malformed);
        }
        Ok(Self { address, port, kind, transport })
    }

    /// Reads what stands behind `a=candidate:`, with the priority; None if it cannot be used.
    pub(super) fn parse(text: &str) -> Option<(u32, Self)> {
        let mut words = text.split(' ').skip(1);
        let mut word = || words.next();
        let (component, protocol, priority, host, port) = (word()?, word()?, word()?, word()?, word()?);
        let (typ, kind) = (word()?, word()?);
        let tcptype = words.skip_while(|word| *word != "tcptype").nth(1);
        let transport = match protocol.to_ascii_lowercase().as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::ALL.into_iter().skip(1).find(|known| Some(known.name()) == tcptype)?,
            _ => return None,
        };
        let kind = Type::ALL.into_iter().find(|known| known.name() == kind)?;
        let port = u16::try_from(number(port)?).ok().filter(|port| *port != 0)?;
        let candidate = Self { address: Address::parse(host)?, port, kind, transport };
        (component == "1" && typ == "typ").then_some((number(priority)?, candidate))
    }

    /// How its kind ranks among others.
    pub(super) fn preference(&self) -> u32 {
        match (self.transport, self.kind) {
            (Transport::Udp, Type::Host) => 126,
            (Transport::Udp, Type::ServerReflexive) => 100,
            (Transport::Udp, Type::Relay) => 2,
            (_, Type::Host) => 90,
            (_, Type::ServerReflexive) => 70,
            (_, Type::Relay) => 1,
        }
    }

    /// Writes the line for the place `index` in the list.
    pub(super) fn line(&self, index: usize) -> String {
        let Self { address, port, kind, transport } = self;
        let priority = self.preference() << 24 | (65_535 - index as u32) << 8 | 255;
        let (protocol, tcptype) = match transport {
            Transport::Udp => ("udp", String::new()),
            _ => ("tcp", format!(" tcptype {}", transport.name())),
        };
        let related = match (kind, address) {
            (Type::Host, _) => "",
            (_, Address::Ip(IpAddr::V6(_))) => " raddr :: rport 0",
            _ => " raddr 0.0.0.0 rport 0",
        };
        let (number, kind) = (index + 1, kind.name());
        format!("a=candidate:{number} 1 {protocol} {priority} {address} {port} typ {kind}{related}{tcptype}")
    }
}

impl Type {
    pub(super) const ALL: [Self; 3] = [Self::Host, Self::ServerReflexive, Self::Relay];

    /// The word in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::Relay => "relay",
        }
    }
}

impl Transport {
    const ALL: [Self; 3] = [Self::Udp, Self::TcpPassive, Self::TcpSimultaneous];

    /// The word in a description; for TCP, the one behind `tcptype`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::TcpPassive => "passive",
            Self::TcpSimultaneous => "so",
        }
    }
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Ip(address.to_canonical()));
        }
        if let Some(uuid) = uuid(text) {
            return Some(Self::Uuid(uuid));
        }
        let good = text.bytes().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, b'.' | b'-'));
        (good && (1..=NAME_BYTES_MAX).contains(&text.len())).then(|| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{hyphen}{byte:02x}")?;
                }
                f.write_str(UUID_SUFFIX)
            }
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A number in up to ten digits, and nothing else.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|sign| sign.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The bytes of a UUID under `.local`, if it is written in lower case with its hyphens in place.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.strip_suffix(UUID_SUFFIX)?.bytes();
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) && digits.next()? != b'-' {
            return None;
        }
        for _ in 0..2 {
            let digit = digits.next().filter(|digit| !digit.is_ascii_uppercase())?;
            *byte = *byte << 4 | u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        }
    }
    digits.next().is_none().then_some(bytes)
}
