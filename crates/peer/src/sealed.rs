//! `spec/sealed.md`: how two peers agree on a secret that the server does not know, and what they lock with it.

mod seal;

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use wigwag_wire::PublicKey;

pub(crate) use self::seal::kind_of;
pub use self::seal::{BoxData, Candidate, Content, Description, DescriptionKind, Seal};
use crate::dice::Dice;
use crate::identity::{Signer, verify};
use crate::json::stringify;

/// Longest reason of a decline, in bytes.
pub const REASON_MAX: usize = 256;

const CALL_BYTES: usize = 16;
const SHARE_BYTES: usize = 65;

/// Who speaks with whom, in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The namespace that both are in.
    pub namespace: &'a str,
    /// The sender.
    pub from: &'a str,
    /// Which of its programs.
    pub device: &'a str,
    /// The receiver.
    pub to: &'a str,
    /// Which of its programs; a hail names none.
    pub to_device: &'a str,
}

/// A call's name: 16 random bytes, as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(String);

impl CallId {
    /// A name for a new call.
    pub fn new(dice: &mut Dice) -> Self {
        Self(BASE64URL_NOPAD.encode(&dice.bytes::<CALL_BYTES>()))
    }

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        is_bytes(text, CALL_BYTES).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Half of a secret, made for one call.
#[derive(Clone)]
pub struct Share(p256::SecretKey);

impl Share {
    /// A fresh one.
    pub fn new(dice: &mut Dice) -> Self {
        loop {
            if let Some(share) = Self::from_secret(&dice.bytes()) {
                return share;
            }
        }
    }

    /// The share of this number; `None` for the few that are none.
    pub fn from_secret(number: &[u8; 32]) -> Option<Self> {
        p256::SecretKey::from_slice(number).ok().map(Self)
    }

    /// What the other gets.
    pub fn public(&self) -> String {
        BASE64URL_NOPAD.encode(self.0.public_key().to_sec1_point(false).as_bytes())
    }

    /// What comes of it with the other's; `None` where the other's is no point of the curve.
    fn agree(&self, theirs: &str) -> Option<p256::ecdh::SharedSecret> {
        let bytes = BASE64URL_NOPAD.decode(theirs.as_bytes()).ok()?;
        let theirs = p256::PublicKey::from_sec1_bytes(&bytes).ok()?;
        Some(p256::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), theirs.as_affine()))
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({})", self.public())
    }
}

/// One side's part of a call: a hail, or the heed that answers it.
#[derive(Clone, Debug)]
pub struct Half {
    /// Which call.
    pub call: CallId,
    /// Whose half it is.
    pub key: PublicKey,
    /// Its share, as text.
    pub share: String,
    /// What a hail says for the other's program, as JSON.
    pub meta: Option<Box<RawValue>>,
    /// What was signed.
    pub statement: String,
}

/// A hail or a heed as it travels: the `data` of the signal, and what has to be remembered.
#[derive(Clone, Debug)]
pub struct Made {
    /// The `data`.
    pub data: Box<RawValue>,
    /// Our half.
    pub half: Half,
}

/// A hail. `meta` is JSON for the other's program; `None` where it is no JSON.
pub fn make_hail(
    signer: &dyn Signer,
    pair: &Pair<'_>,
    call: &CallId,
    share: &Share,
    meta: Option<&RawValue>,
) -> Option<Made> {
    let meta = match meta {
        Some(meta) => Some(RawValue::from_string(stringify(meta.get())?).ok()?),
        None => None,
    };
    let (key, share) = (signer.key(), share.public());
    let statement = hail_statement(pair, call, &key, &share, meta.as_deref())?;
    let signature = signer.sign(statement.as_bytes());
    let text = |call: &CallId| Cow::Owned(call.0.clone());
    let data = HalfData {
        v: 1,
        call: text(call),
        key: Cow::Owned(key.to_string()),
        share: Cow::Borrowed(&share),
        meta: meta.as_deref(),
        signature: Cow::Owned(signature),
    };
    let data = raw(&data)?;
    Some(Made { data, half: Half { call: call.clone(), key, share, meta, statement } })
}

/// Reads a hail; `None` where it is not one that its key signed.
pub fn read_hail(pair: &Pair<'_>, data: &RawValue) -> Option<Half> {
    let (data, call, key) = half_data(data)?;
    let statement = hail_statement(pair, &call, &key, &data.share, data.meta)?;
    let meta = data.meta.map(RawValue::to_owned);
    verify(&key, statement.as_bytes(), &data.signature).then(|| Half {
        call,
        key,
        share: data.share.into(),
        meta,
        statement,
    })
}

/// The answer to a hail.
pub fn make_heed(signer: &dyn Signer, pair: &Pair<'_>, share: &Share, hail: &Half) -> Option<Made> {
    let (key, share, call) = (signer.key(), share.public(), hail.call.clone());
    let statement = answer_statement("heed", pair, &call, &key, &share, &hail.statement);
    let data = HalfData {
        v: 1,
        call: Cow::Borrowed(&call.0),
        key: Cow::Owned(key.to_string()),
        share: Cow::Borrowed(&share),
        meta: None,
        signature: Cow::Owned(signer.sign(statement.as_bytes())),
    };
    let data = raw(&data)?;
    Some(Made { data, half: Half { call, key, share, meta: None, statement } })
}

/// Reads the answer to our hail; `None` where it is none that its key signed.
pub fn read_heed(pair: &Pair<'_>, data: &RawValue, hail: &Half) -> Option<Half> {
    let (data, call, key) = half_data(data)?;
    if call != hail.call {
        return None;
    }
    let statement = answer_statement("heed", pair, &call, &key, &data.share, &hail.statement);
    let share = data.share.into_owned();
    verify(&key, statement.as_bytes(), &data.signature).then_some(Half { call, key, share, meta: None, statement })
}

/// A hail is not wanted. A reason that is too long is cut.
pub fn make_decline(signer: &dyn Signer, pair: &Pair<'_>, hail: &Half, reason: &str) -> Option<Box<RawValue>> {
    let key = signer.key();
    let reason = cut(&reason.replace('\n', " ")).to_owned();
    let statement = answer_statement("decline", pair, &hail.call, &key, &reason, &hail.statement);
    raw(&DeclineData {
        v: 1,
        call: Cow::Borrowed(&hail.call.0),
        key: Cow::Owned(key.to_string()),
        reason: (!reason.is_empty()).then_some(Cow::Borrowed(&*reason)),
        signature: Cow::Owned(signer.sign(statement.as_bytes())),
    })
}

/// Reads a decline of our hail: whose, and why; `None` where it is none that its key signed.
pub fn read_decline(pair: &Pair<'_>, data: &RawValue, hail: &Half) -> Option<(PublicKey, String)> {
    let DeclineData { v, call, key, reason, signature } = object(data)?;
    let (key, reason) = (PublicKey::parse(&key).ok()?, reason.unwrap_or_default());
    if v != 1 || call != hail.call.0 || reason.contains('\n') || reason.len() > REASON_MAX {
        return None;
    }
    let statement = answer_statement("decline", pair, &hail.call, &key, &reason, &hail.statement);
    verify(&key, statement.as_bytes(), &signature).then(|| (key, reason.into_owned()))
}

/// Which call a signal's data speak of, whatever else they hold.
pub fn call_of(data: &RawValue) -> Option<CallId> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        call: Cow<'a, str>,
    }
    CallId::parse(&object::<Named<'_>>(data)?.call)
}

/// A hail or a heed on the wire.
#[derive(Serialize, Deserialize)]
struct HalfData<'a> {
    v: u64,
    #[serde(borrow)]
    call: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    share: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "even_null")]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct DeclineData<'a> {
    v: u64,
    #[serde(borrow)]
    call: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
}

/// Content that is `null` is content too.
fn even_null<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

fn half_data(data: &RawValue) -> Option<(HalfData<'_>, CallId, PublicKey)> {
    let half: HalfData<'_> = object(data)?;
    let (call, key) = (CallId::parse(&half.call)?, PublicKey::parse(&half.key).ok()?);
    (half.v == 1 && is_bytes(&half.share, SHARE_BYTES)).then_some((half, call, key))
}

/// Reads an object; a list of the right values is none.
pub(crate) fn object<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Option<T> {
    serde_json::from_str(data.get()).ok().filter(|_| data.get().starts_with('{'))
}

pub(crate) fn raw(data: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(data).ok()
}

fn hail_statement(
    pair: &Pair<'_>,
    call: &CallId,
    key: &PublicKey,
    share: &str,
    meta: Option<&RawValue>,
) -> Option<String> {
    let hash = match meta {
        Some(meta) => sha256(&stringify(meta.get())?),
        None => String::new(),
    };
    let Pair { namespace, from, device, to, .. } = pair;
    let call = call.as_str();
    Some(format!("wigwag.1 hail\n{namespace}\n{from}\n{device}\n{to}\n{call}\n{key}\n{share}\n{hash}"))
}

/// `own`: the share, or the reason.
fn answer_statement(kind: &str, pair: &Pair<'_>, call: &CallId, key: &PublicKey, own: &str, hail: &str) -> String {
    let Pair { namespace, from, device, to, to_device } = pair;
    let (call, hash) = (call.as_str(), sha256(hail));
    format!("wigwag.1 {kind}\n{namespace}\n{from}\n{device}\n{to}\n{to_device}\n{call}\n{key}\n{own}\n{hash}")
}

pub(crate) fn sha256(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes()))
}

/// Whether a text is so many bytes.
fn is_bytes(text: &str, count: usize) -> bool {
    text.len() <= 2 * count && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == count)
}

/// The first bytes of a reason, whole characters only.
fn cut(reason: &str) -> &str {
    let end = (0..=REASON_MAX.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}
