//! The short body of a code: what matters of a description with one data channel section, and its bytes.

use super::candidate::Candidate;
use super::text::{pour, pour_up};
use super::{CANDIDATES_MAX, FINGERPRINTS_MAX, ReadError};

/// What matters of a description with one data channel section. All of it keeps the rules of `spec/discovery.md`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Who begins the DTLS handshake.
    pub setup: Setup,
    /// The user name of ICE.
    pub ufrag: String,
    /// The password of ICE.
    pub pwd: String,
    /// The largest message that is taken; 0 is any.
    pub message_bytes_max: u32,
    /// Hashes of the certificate.
    pub fingerprints: Vec<Fingerprint>,
    /// Where the peer can be reached, best first.
    pub candidates: Vec<Candidate>,
}

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Either.
    ActPass,
    /// This side.
    Active,
    /// The other side.
    Passive,
}

/// The hash of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fingerprint {
    /// Which hash.
    pub algorithm: Algorithm,
    /// As many bytes as [`Algorithm::bytes`] says.
    pub hash: Vec<u8>,
}

/// A hash function for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

const UFRAG_MIN: usize = 4;
const PWD_MIN: usize = 22;
const CREDENTIAL_MAX: usize = 127;
/// The bit that says that a number, or a list, goes on; and the one that says that characters are hexadecimal.
const MORE: u8 = 128;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

impl Setup {
    const ALL: [Self; 3] = [Self::ActPass, Self::Active, Self::Passive];

    /// The word in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setup| setup.name() == name)
    }

    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.get(usize::from(bits)).copied()
    }

    pub(super) const fn bits(self) -> u8 {
        self as u8
    }
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The word in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The size of its hashes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl Description {
    /// Whether a ufrag and a pwd can stand in a short body.
    pub(super) fn fits(ufrag: &str, pwd: &str) -> bool {
        let good = |text: &str, min| {
            (min..=CREDENTIAL_MAX).contains(&text.len()) && text.bytes().all(|sign| BASE64.contains(&sign))
        };
        good(ufrag, UFRAG_MIN) && good(pwd, PWD_MIN)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_credential(out, &self.ufrag);
        put_credential(out, &self.pwd);
        let mut rest = self.message_bytes_max;
        while rest >= u32::from(MORE) {
            out.push(rest as u8 | MORE);
            rest >>= 7;
        }
        out.push(rest as u8);
        for (index, Fingerprint { algorithm, hash }) in self.fingerprints.iter().enumerate() {
            let more = if index + 1 < self.fingerprints.len() { MORE } else { 0 };
            out.push((*algorithm as u8 + 1) | more);
            out.extend(hash);
        }
        out.push(self.candidates.len() as u8);
        self.candidates.iter().for_each(|candidate| candidate.encode(out));
    }

    /// Reads a short body, and over what a later version may have added.
    pub(super) fn decode(bytes: &[u8], setup: Setup) -> Result<Self, ReadError> {
        let mut reader = Reader(bytes);
        let ufrag = credential(&mut reader)?;
        let pwd = credential(&mut reader)?;
        if !Self::fits(&ufrag, &pwd) {
            return Err(ReadError::Malformed("ufrag or pwd"));
        }
        let message_bytes_max = message_bytes_max(&mut reader)?;
        let mut fingerprints = Vec::new();
        loop {
            let head = reader.byte()?;
            let algorithm = usize::from(head & !MORE).checked_sub(1).and_then(|at| Algorithm::ALL.get(at));
            let algorithm = *algorithm.ok_or(ReadError::Malformed("fingerprint"))?;
            if fingerprints.len() == FINGERPRINTS_MAX {
                return Err(ReadError::Malformed("too many fingerprints"));
            }
            fingerprints.push(Fingerprint { algorithm, hash: reader.take(algorithm.bytes())?.to_vec() });
            if head & MORE == 0 {
                break;
            }
        }
        let count = usize::from(reader.byte()?);
        if count > CANDIDATES_MAX {
            return Err(ReadError::Malformed("too many candidates"));
        }
        let candidates = (0..count).map(|_| Candidate::decode(&mut reader)).collect::<Result<_, _>>()?;
        let description = Self { setup, ufrag, pwd, message_bytes_max, fingerprints, candidates };
        // There is one way to write anything: whatever else was written is a fault.
        let mut again = Vec::new();
        description.encode(&mut again);
        let read = bytes.len() - reader.0.len();
        if bytes.get(..read) == Some(&again) {
            Ok(description)
        } else {
            Err(ReadError::Malformed("not written in the one way"))
        }
    }
}

/// Takes bytes from the front.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ReadError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ReadError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }
}

fn put_credential(out: &mut Vec<u8>, text: &str) {
    let is_hex = text.bytes().all(|sign| HEX.contains(&sign));
    let (bits, digits): (u32, &[u8]) = if is_hex { (4, HEX) } else { (6, BASE64) };
    let values = text.bytes().filter_map(|sign| digits.iter().position(|digit| *digit == sign));
    let values: Vec<u8> = values.map(|value| value as u8).collect();
    out.push(values.len() as u8 | if is_hex { MORE } else { 0 });
    out.extend(pour_up(&values, bits, 8));
}

fn credential(reader: &mut Reader<'_>) -> Result<String, ReadError> {
    let head = reader.byte()?;
    let (bits, digits): (u32, &[u8]) = if head & MORE == 0 { (6, BASE64) } else { (4, HEX) };
    let length = usize::from(head & !MORE);
    let packed = reader.take((length * bits as usize).div_ceil(8))?;
    let (values, _) = pour(packed, 8, bits);
    Ok(values
        .into_iter()
        .take(length)
        .filter_map(|value| digits.get(usize::from(value)))
        .map(|d| char::from(*d))
        .collect())
}

fn message_bytes_max(reader: &mut Reader<'_>) -> Result<u32, ReadError> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let part = reader.byte()?;
        value |= u64::from(part & !MORE) << shift;
        if part & MORE == 0 {
            return u32::try_from(value).map_err(|_| ReadError::Malformed("largest message"));
        }
    }
    Err(ReadError::Malformed("largest message"))
}
