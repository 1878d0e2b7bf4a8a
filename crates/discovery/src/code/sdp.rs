//! Session descriptions: what matters of one, and one made of what matters.

use std::cmp::Reverse;

use super::body::{Algorithm, Description, Fingerprint, Setup};
use super::candidate::{Candidate, Type, number};
use super::{CANDIDATES_MAX, FINGERPRINTS_MAX, Kind, Tag, WriteError};

/// What a description without `max-message-size` means (RFC 8841).
const MESSAGE_BYTES_MAX: &str = "65536";

/// What matters of a description; None if there is more to it than a short body can hold.
pub(super) fn reduce(sdp: &str, kind: Kind) -> Result<Option<Description>, WriteError> {
    let lines: Vec<&str> = sdp.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    for needed in ["ice-ufrag", "ice-pwd", "fingerprint", "setup"] {
        if values(&lines, needed).next().is_none() {
            return Err(WriteError::Incomplete(needed));
        }
    }
    Ok(short(&lines, kind))
}

fn short(lines: &[&str], kind: Kind) -> Option<Description> {
    let begin = lines.iter().position(|line| line.starts_with("m="))?;
    let (session, section) = lines.split_at(begin);
    let all = |name| match values(section, name).next() {
        Some(_) => values(section, name),
        None => values(session, name),
    };
    let one = |name| all(name).next().unwrap_or_default();
    let is_alone = section.iter().filter(|line| line.starts_with("m=")).count() == 1;
    if !(is_alone && section.first().is_some_and(|line| is_data(line))) {
        return None;
    }
    if one("mid") != "0" || one("sctp-port") != "5000" || !values(session, "group").eq(["BUNDLE 0"]) {
        return None;
    }
    let setup = Setup::from_name(one("setup"))?;
    let (ufrag, pwd) = (one("ice-ufrag"), one("ice-pwd"));
    if (kind != Kind::Offer && setup == Setup::ActPass) || !Description::fits(ufrag, pwd) {
        return None;
    }
    Some(Description {
        setup,
        ufrag: ufrag.to_owned(),
        pwd: pwd.to_owned(),
        message_bytes_max: number(all("max-message-size").next().unwrap_or(MESSAGE_BYTES_MAX))?,
        fingerprints: fingerprints(all("fingerprint"))?,
        candidates: choose(values(section, "candidate")),
    })
}

/// A description that any WebRTC stack takes.
pub(super) fn rebuild(description: &Description, Tag(id): Tag) -> String {
    let Description { setup, ufrag, pwd, message_bytes_max, fingerprints, candidates } = description;
    let mut lines = vec![
        "v=0".to_owned(),
        format!("o=- {id} 1 IN IP4 0.0.0.0"),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=group:BUNDLE 0".to_owned(),
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned(),
        "c=IN IP4 0.0.0.0".to_owned(),
        "a=mid:0".to_owned(),
        format!("a=ice-ufrag:{ufrag}"),
        format!("a=ice-pwd:{pwd}"),
        "a=ice-options:trickle".to_owned(),
    ];
    for Fingerprint { algorithm, hash } in fingerprints {
        let hash: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        lines.push(format!("a=fingerprint:{} {}", algorithm.name(), hash.join(":")));
    }
    lines.push(format!("a=setup:{}", setup.name()));
    lines.push("a=sctp-port:5000".to_owned());
    lines.push(format!("a=max-message-size:{message_bytes_max}"));
    lines.extend(candidates.iter().enumerate().map(|(index, candidate)| candidate.line(index)));
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

/// A description to be kept in full: more candidates may come, in a way.
pub(super) fn without_end_of_candidates(sdp: &str) -> String {
    let lines = sdp.split_inclusive('\n');
    lines.filter(|line| !matches!(*line, "a=end-of-candidates\n" | "a=end-of-candidates\r\n")).collect()
}

/// What stands behind `a=name:`, each time.
fn values<'a>(lines: &'a [&'a str], name: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn is_data(line: &str) -> bool {
    let mut words = line.split(' ');
    let port =
        |text: &str| text.bytes().all(|sign| sign.is_ascii_digit()) && !text.starts_with('0') && !text.is_empty();
    words.next() == Some("m=application")
        && words.next().is_some_and(port)
        && matches!(words.next(), Some("UDP/DTLS/SCTP" | "TCP/DTLS/SCTP"))
        && words.eq(["webrtc-datachannel"])
}

fn fingerprints<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Vec<Fingerprint>> {
    let mut found = Vec::new();
    for text in texts {
        let text = text.to_ascii_lowercase();
        let (algorithm, hash) = text.split_once(' ')?;
        let algorithm = Algorithm::from_name(algorithm)?;
        let byte = |pair: &str| match pair.as_bytes() {
            [high, low] => {
                let digit = |sign: &u8| char::from(*sign).to_digit(16);
                u8::try_from(digit(high)? << 4 | digit(low)?).ok()
            }
            _ => None,
        };
        let hash = hash.split(':').map(byte).collect::<Option<Vec<u8>>>()?;
        let fingerprint = Fingerprint { algorithm, hash };
        if fingerprint.hash.len() != algorithm.bytes() {
            return None;
        }
        if !found.contains(&fingerprint) {
            found.push(fingerprint);
        }
        if found.len() > FINGERPRINTS_MAX {
            return None;
        }
    }
    Some(found)
}

/// The candidates that a code carries, best first.
fn choose<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Candidate> {
    let mut ranked: Vec<(u32, Candidate)> = texts.filter_map(Candidate::parse).collect();
    ranked.sort_by_key(|(priority, candidate)| Reverse((candidate.preference(), *priority)));
    let mut known: Vec<(usize, Candidate)> = Vec::new();
    for (_, candidate) in ranked {
        if !known.iter().any(|(_, other)| *other == candidate) {
            // Its place among those of its type: the first of each go before the second of any.
            let turn = known.iter().filter(|(_, other)| other.kind == candidate.kind).count();
            known.push((turn, candidate));
        }
    }
    let turn_of = |kind: Type, turn: usize| turn * Type::ALL.len() + kind as usize;
    let mut turns: Vec<usize> = known.iter().map(|(turn, candidate)| turn_of(candidate.kind, *turn)).collect();
    turns.sort_unstable();
    let last = turns.get(CANDIDATES_MAX - 1).copied().unwrap_or(usize::MAX);
    let chosen = known.into_iter().filter(|(turn, candidate)| turn_of(candidate.kind, *turn) <= last);
    chosen.map(|(_, candidate)| candidate).collect()
}
