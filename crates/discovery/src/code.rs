//! Offer and answer codes: what matters of a session description as a text that people can carry, `spec/discovery.md`.
//! The browser's SDK reads and writes the same ones.

mod body;
mod candidate;
mod sdp;
mod text;

use std::borrow::Cow;
use std::fmt;

pub use self::body::{Algorithm, Description, Fingerprint, Setup};
pub use self::candidate::{Address, Candidate, Transport, Type};

/// The version that is written and read here.
pub const VERSION: u8 = 1;
/// The most bytes of a code, header and checksum among them.
pub const BYTES_MAX: usize = 16_384;
/// The most bytes of a description that is kept in full.
pub const SDP_BYTES_MAX: usize = 65_536;
/// The most candidates of a short body.
pub const CANDIDATES_MAX: usize = 16;
/// The most fingerprints of a short body.
pub const FINGERPRINTS_MAX: usize = 4;

const ANSWER: u8 = 1;
const FULL: u8 = 2;
const TAG_BYTES: usize = 4;

/// One code, made here or read. Whoever holds it can take part in the connection, so it stays out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    kind: Kind,
    body: Body,
    tag: Tag,
    text: String,
}

/// Which of the two a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It begins a connection.
    Offer,
    /// It answers the offer of this tag.
    Answer(Tag),
}

/// A code's checksum, by which an answer names its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u32);

/// What a code carries.
#[derive(Clone, PartialEq, Eq)]
enum Body {
    Short(Description),
    Full(String),
}

/// Why a text is not the code that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not begin as codes do.
    #[error("this is not a code: a code begins with \"WW\"")]
    NotACode,
    /// A character or the checksum is wrong.
    #[error("there is a mistake in this code: copy or scan it again")]
    Damaged,
    /// There are fewer characters than its length says.
    #[error("the end of this code is missing: copy all of it")]
    CutShort,
    /// There are more.
    #[error("there is more than the code: copy just the code, and once")]
    Overlong,
    /// Another version than [`VERSION`].
    #[error("this code was made by another version of the program: update the older one")]
    UnknownVersion(u8),
    /// An answer where an offer is wanted.
    #[error("this code is an answer; the code that begins a connection is wanted")]
    NotAnOffer,
    /// An offer where an answer is wanted.
    #[error("this code begins a connection; the answer that the other side makes of it is wanted")]
    NotAnAnswer,
    /// An answer to another offer.
    #[error("this answer belongs to another offer")]
    OtherOffer,
    /// It arrived as it was sent, and its maker broke a rule.
    #[error("this code was made wrongly: {0}")]
    Malformed(&'static str),
}

impl ReadError {
    /// The word of `spec/discovery.md`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotACode => "not_a_code",
            Self::Damaged => "damaged",
            Self::CutShort => "cut_short",
            Self::Overlong => "overlong",
            Self::UnknownVersion(_) => "unknown_version",
            Self::NotAnOffer => "not_an_offer",
            Self::NotAnAnswer => "not_an_answer",
            Self::OtherOffer => "other_offer",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// Why a description cannot become a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It lacks what a connection needs.
    #[error("the description has no {0}")]
    Incomplete(&'static str),
    /// It goes beyond [`SDP_BYTES_MAX`] or [`BYTES_MAX`].
    #[error("the description is too large for a code")]
    TooLarge,
}

impl WriteError {
    /// The word of `spec/discovery.md`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::TooLarge => "too_large",
        }
    }
}

impl Code {
    /// Makes an offer code of an offer whose candidates were gathered.
    pub fn offer(sdp: &str) -> Result<Self, WriteError> {
        Self::write(sdp, Kind::Offer)
    }

    /// Makes an answer code of the answer to the offer of this tag.
    pub fn answer(sdp: &str, offer: Tag) -> Result<Self, WriteError> {
        Self::write(sdp, Kind::Answer(offer))
    }

    /// Reads any code, from whatever a person pasted.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        Self::read_if(text, |_| Ok(()))
    }

    /// Reads an offer code.
    pub fn read_offer(text: &str) -> Result<Self, ReadError> {
        Self::read_if(text, |kind| match kind {
            Kind::Offer => Ok(()),
            Kind::Answer(_) => Err(ReadError::NotAnOffer),
        })
    }

    /// Reads the code that answers the offer of this tag.
    pub fn read_answer(text: &str, offer: Tag) -> Result<Self, ReadError> {
        Self::read_if(text, |kind| match kind {
            Kind::Offer => Err(ReadError::NotAnAnswer),
            Kind::Answer(to) if to == offer => Ok(()),
            Kind::Answer(_) => Err(ReadError::OtherOffer),
        })
    }

    /// Whether it is an offer or an answer, and to what.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What an answer to this code names it by.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// The description, as WebRTC stacks take it.
    pub fn sdp(&self) -> Cow<'_, str> {
        match &self.body {
            Body::Short(description) => Cow::Owned(sdp::rebuild(description, self.tag)),
            Body::Full(sdp) => Cow::Borrowed(sdp),
        }
    }

    /// What matters of the description; None if the code holds it in full.
    pub fn description(&self) -> Option<&Description> {
        match &self.body {
            Body::Short(description) => Some(description),
            Body::Full(_) => None,
        }
    }

    /// The text to carry.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn write(sdp: &str, kind: Kind) -> Result<Self, WriteError> {
        let (mut flags, mut inner) = match kind {
            Kind::Offer => (0, Vec::new()),
            Kind::Answer(Tag(offer)) => (ANSWER, offer.to_be_bytes().to_vec()),
        };
        let body = match sdp::reduce(sdp, kind)? {
            Some(description) => {
                flags |= description.setup.bits() << 2;
                description.encode(&mut inner);
                Body::Short(description)
            }
            None => {
                flags |= FULL;
                let plain = sdp::without_end_of_candidates(sdp);
                if !plain.starts_with("v=0") {
                    return Err(WriteError::Incomplete("beginning"));
                }
                if plain.len() > SDP_BYTES_MAX {
                    return Err(WriteError::TooLarge);
                }
                inner.extend(miniz_oxide::deflate::compress_to_vec(plain.as_bytes(), 9));
                Body::Full(plain)
            }
        };
        let (text, tag) = text::write(flags, &inner).ok_or(WriteError::TooLarge)?;
        Ok(Self { kind, body, tag, text })
    }

    fn read_if(pasted: &str, wanted: impl FnOnce(Kind) -> Result<(), ReadError>) -> Result<Self, ReadError> {
        let text::Frame { flags, inner, tag, text } = text::read(pasted)?;
        let is_answer = flags & ANSWER != 0;
        let named = inner.first_chunk::<TAG_BYTES>().map(|bytes| Tag(u32::from_be_bytes(*bytes)));
        // An answer too short to name its offer is one nevertheless.
        let (kind, rest) = match named {
            _ if !is_answer => (Kind::Offer, inner.as_slice()),
            Some(offer) => (Kind::Answer(offer), inner.get(TAG_BYTES..).unwrap_or_default()),
            None => {
                return Err(match wanted(Kind::Answer(tag)) {
                    Err(ReadError::NotAnOffer) => ReadError::NotAnOffer,
                    _ => ReadError::Malformed("it ends too early"),
                });
            }
        };
        wanted(kind)?;
        let body = if flags & FULL != 0 {
            if flags & !(FULL | ANSWER) != 0 {
                return Err(ReadError::Malformed("flags"));
            }
            Body::Full(expand(rest)?)
        } else {
            let setup = Setup::from_bits(flags >> 2).filter(|setup| !(is_answer && *setup == Setup::ActPass));
            Body::Short(Description::decode(rest, setup.ok_or(ReadError::Malformed("setup role"))?)?)
        };
        Ok(Self { kind, body, tag, text })
    }
}

/// Unpacks a full body, and stops where it grows beyond its bound.
fn expand(bytes: &[u8]) -> Result<String, ReadError> {
    use miniz_oxide::inflate::TINFLStatus::Done;
    use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
    let mut plain = vec![0; SDP_BYTES_MAX];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, used, length) = decompress(&mut DecompressorOxide::new(), bytes, &mut plain, 0, flags);
    if status != Done || used != bytes.len() {
        return Err(ReadError::Malformed("it cannot be unpacked"));
    }
    plain.truncate(length);
    let sdp = String::from_utf8(plain).map_err(|_| ReadError::Malformed("it is not UTF-8"))?;
    if sdp.starts_with("v=0") { Ok(sdp) } else { Err(ReadError::Malformed("no description")) }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("kind", &self.kind).finish_non_exhaustive()
    }
}
