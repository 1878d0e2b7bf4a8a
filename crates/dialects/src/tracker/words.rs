//! How clients of trackers write things, and how they want them written.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::{Text, read};

/// Seconds after which a client shall announce again.
const INTERVAL: u32 = 120;

/// Seconds after which it may scrape again.
const SCRAPE_INTERVAL: u32 = 600;

/// Twenty bytes: a hash or an id. On the wire a string of as many characters, each of them one byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Twenty([u8; 20]);

impl Twenty {
    fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        let mut chars = text.chars();
        for byte in &mut bytes {
            *byte = u8::try_from(u32::from(chars.next()?)).ok()?;
        }
        chars.next().is_none().then_some(Self(bytes))
    }

    fn read_raw(raw: &RawValue) -> Option<Self> {
        Self::read(&part::<Text<'_>>(raw)?)
    }

    /// As on the wire.
    pub(super) fn text(&self) -> String {
        self.0.iter().copied().map(char::from).collect()
    }

    /// For names of the hub.
    pub(super) fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl fmt::Debug for Twenty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Announce,
    Scrape,
}

/// What a client says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// It is there, or still there.
    Present,
    /// It has all now.
    Completed,
    /// It goes.
    Stopped,
}

/// A request, its parts unread: what is wrong with one of them is answered by name.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    info_hash: Option<&'a RawValue>,
    #[serde(borrow)]
    peer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    left: Option<&'a RawValue>,
    #[serde(borrow)]
    numwant: Option<&'a RawValue>,
    #[serde(borrow)]
    offers: Option<&'a RawValue>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    to_peer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    offer_id: Option<&'a RawValue>,
}

/// An offer for whomever the tracker chooses.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    pub(super) offer_id: Twenty,
    pub(super) offer: &'a RawValue,
}

#[derive(Deserialize)]
struct OfferFields<'a> {
    #[serde(borrow)]
    offer_id: &'a RawValue,
    #[serde(borrow)]
    offer: &'a RawValue,
}

impl<'a> Message<'a> {
    pub(super) fn action(&self) -> Option<Action> {
        match &*part::<Text<'_>>(self.action?)? {
            "announce" => Some(Action::Announce),
            "scrape" => Some(Action::Scrape),
            _ => None,
        }
    }

    pub(super) fn info_hash(&self) -> Option<Twenty> {
        Twenty::read_raw(self.info_hash?)
    }

    /// One or many; `None` where there is no such field, `Some(None)` where it is a bad one.
    pub(super) fn info_hashes(&self) -> Option<Option<Vec<Twenty>>> {
        let raw = self.info_hash?;
        let many = || part::<Vec<Text<'_>>>(raw)?.iter().map(|text| Twenty::read(text)).collect();
        Some(Twenty::read_raw(raw).map(|one| vec![one]).or_else(many))
    }

    pub(super) fn peer_id(&self) -> Option<Twenty> {
        Twenty::read_raw(self.peer_id?)
    }

    /// Clients that leave the event out, or empty, are there and say nothing more.
    pub(super) fn happened(&self) -> Option<Happened> {
        let Some(raw) = self.event else { return Some(Happened::Present) };
        match &*part::<Text<'_>>(raw)? {
            "" | "empty" | "started" | "update" | "paused" => Some(Happened::Present),
            "completed" => Some(Happened::Completed),
            "stopped" => Some(Happened::Stopped),
            _ => None,
        }
    }

    /// Whether nothing is left. A client that does not say lacks something.
    pub(super) fn has_all(&self) -> bool {
        number(self.left) == Some(0.0)
    }

    /// How many offers shall be passed on at most; as many as there are, where it does not say.
    pub(super) fn want(&self) -> usize {
        // From a float this is the nearest number that there is.
        number(self.numwant).map_or(usize::MAX, |want| want as usize)
    }

    pub(super) fn offers(&self) -> Option<Vec<Offer<'a>>> {
        let Some(raw) = self.offers else { return Some(Vec::new()) };
        let good = |raw: &'a RawValue| {
            let fields = read::<OfferFields<'a>>(raw.get()).filter(|fields| is_object(fields.offer))?;
            Some(Offer { offer_id: Twenty::read_raw(fields.offer_id)?, offer: fields.offer })
        };
        part::<Vec<&'a RawValue>>(raw)?.into_iter().map(good).collect()
    }

    /// To whom, for which offer, and what it is.
    pub(super) fn answer(&self) -> Result<Option<(Twenty, Twenty, &'a RawValue)>, &'static str> {
        let Some(answer) = self.answer else { return Ok(None) };
        let to = self.to_peer_id.and_then(Twenty::read_raw).ok_or("invalid to_peer_id")?;
        let offer_id = self.offer_id.and_then(Twenty::read_raw).ok_or("invalid offer_id")?;
        if !is_object(answer) {
            return Err("invalid answer");
        }
        Ok(Some((to, offer_id, answer)))
    }
}

/// A part of a message, or nothing where it is not such a one.
fn part<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// A number, also one in a string.
fn number(raw: Option<&RawValue>) -> Option<f64> {
    raw?.get().trim_matches('"').parse().ok()
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// The answer to an announce.
#[derive(Serialize)]
pub(super) struct Announced<'a> {
    action: Action,
    info_hash: &'a str,
    complete: u32,
    incomplete: u32,
    interval: u32,
}

impl<'a> Announced<'a> {
    pub(super) fn new(info_hash: &'a str, complete: u32, incomplete: u32) -> Self {
        Self { action: Action::Announce, info_hash, complete, incomplete, interval: INTERVAL }
    }
}

/// Another's offer.
#[derive(Serialize)]
pub(super) struct Offered<'a> {
    pub(super) action: Action,
    pub(super) offer: &'a RawValue,
    pub(super) offer_id: &'a str,
    pub(super) peer_id: &'a str,
    pub(super) info_hash: &'a str,
}

/// The answer to an offer.
#[derive(Serialize)]
pub(super) struct Answered<'a> {
    pub(super) action: Action,
    pub(super) answer: &'a RawValue,
    pub(super) offer_id: &'a str,
    pub(super) peer_id: &'a str,
    pub(super) info_hash: &'a str,
}

/// A request that was not carried out.
#[derive(Serialize)]
pub(super) struct Failed<'a> {
    pub(super) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info_hash: Option<String>,
    #[serde(rename = "failure reason")]
    pub(super) reason: &'a str,
}

/// The answer to a scrape.
#[derive(Serialize)]
pub(super) struct Scraped {
    action: Action,
    #[serde(serialize_with = "as_object")]
    files: Vec<(String, Counts)>,
    flags: Flags,
}

/// One swarm.
#[derive(Serialize)]
pub(super) struct Counts {
    pub(super) complete: u32,
    pub(super) incomplete: u32,
    pub(super) downloaded: u64,
}

#[derive(Serialize)]
struct Flags {
    min_request_interval: u32,
}

impl Scraped {
    pub(super) fn new(files: Vec<(String, Counts)>) -> Self {
        Self { action: Action::Scrape, files, flags: Flags { min_request_interval: SCRAPE_INTERVAL } }
    }
}

fn as_object<S: Serializer>(files: &[(String, Counts)], to: S) -> Result<S::Ok, S::Error> {
    let mut object = to.serialize_map(Some(files.len()))?;
    for (swarm, counts) in files {
        object.serialize_entry(swarm, counts)?;
    }
    object.end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn twenty_characters_are_twenty_bytes() {
        let text: String = (0u8..20).map(|i| char::from(i * 13)).collect();
        let bytes = Twenty::read(&text).unwrap();
        assert_eq!(bytes.text(), text);
        assert_eq!(bytes.hex(), "000d1a2734414e5b6875828f9ca9b6c3d0ddeaf7");
        assert_eq!(Twenty::read("\u{ff}".repeat(20).as_str()).unwrap().hex(), "ff".repeat(20));
        for bad in ["", "a".repeat(19).as_str(), "a".repeat(21).as_str(), "\u{100}".repeat(20).as_str(), "🙂"] {
            assert_eq!(Twenty::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_left_is_all_and_everything_else_is_not() {
        for (left, has_all) in
            [("0", true), ("\"0\"", true), ("0.0", true), ("1", false), ("null", false), ("[]", false)]
        {
            let text = format!(r#"{{"left":{left}}}"#);
            assert_eq!(read::<Message<'_>>(&text).unwrap().has_all(), has_all, "{left}");
        }
    }

    #[test]
    fn what_is_wanted_is_bounded_by_what_can_be_counted() {
        for (want, most) in
            [("3", 3), ("\"3\"", 3), ("-1", 0), ("1e99", usize::MAX), ("null", usize::MAX), ("{}", usize::MAX)]
        {
            let text = format!(r#"{{"numwant":{want}}}"#);
            assert_eq!(read::<Message<'_>>(&text).unwrap().want(), most, "{want}");
        }
    }
}
