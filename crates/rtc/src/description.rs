//! What is carried between the two ends of a connection before there is one: descriptions and candidates, as WebRTC writes them.

use serde::{Deserialize, Serialize};

/// So large may a description be that another program made; real ones have a few thousand bytes.
pub(crate) const DESCRIPTION_BYTES_MAX: usize = 128 * 1024;

/// Whether a description asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It asks, and waits for an answer.
    Offer,
    /// It answers an offer.
    Answer,
}

/// An offer or an answer: `{type, sdp}`, as a browser writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The text in the Session Description Protocol.
    pub sdp: String,
}

impl Description {
    /// An offer with this text.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self { kind: Kind::Offer, sdp: sdp.into() }
    }

    /// An answer with this text.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self { kind: Kind::Answer, sdp: sdp.into() }
    }
}

/// An address at which an end may be reached: `RTCIceCandidateInit`, as a browser writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The line, from `candidate:` on. Empty where a program says that there are no more.
    pub candidate: String,
    /// The section of the description that it belongs to.
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// The same as a number.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The search for a path that it belongs to.
    #[serde(default)]
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// `host`, `srflx`, `prflx` or `relay`; None if the line does not say.
    pub fn kind(&self) -> Option<&str> {
        let mut words = self.candidate.split_ascii_whitespace().skip_while(|word| *word != "typ");
        words.nth(1)
    }
}

/// What stands behind `a=name:` in the first line that has it.
pub(crate) fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// How large a message the other end takes: what it says, or 64 KiB where it says nothing. Zero means any size.
pub(crate) fn message_bytes_max(sdp: &str) -> usize {
    match attribute(sdp, "max-message-size").and_then(|size| size.parse::<u64>().ok()) {
        None => 65_536,
        Some(0) => usize::MAX,
        Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
    }
}

/// Our own description with these candidates, each a line from `candidate:` on, and this size of messages in place of what stands there.
pub(crate) fn completed(sdp: &str, candidates: impl Iterator<Item = String>, message_bytes: usize) -> String {
    let mut text = String::with_capacity(sdp.len() + 1024);
    let mut sections = 0;
    let mut candidates = Some(candidates);
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections += 1;
            if sections == 2 {
                append(&mut text, candidates.take());
            }
        }
        if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
            continue;
        }
        if line.starts_with("a=max-message-size:") {
            text.push_str(&format!("a=max-message-size:{message_bytes}\r\n"));
            continue;
        }
        text.push_str(line);
        text.push_str("\r\n");
    }
    append(&mut text, candidates.take());
    text
}

fn append(text: &mut String, candidates: Option<impl Iterator<Item = String>>) {
    for candidate in candidates.into_iter().flatten() {
        text.push_str("a=");
        text.push_str(&candidate);
        text.push_str("\r\n");
    }
}

/// A description of another program without what the machine below cannot read or has no use for: candidates by name, over TCP, or in
/// a notation of the future would make it refuse the whole.
pub(crate) fn readable(sdp: &str) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        let line = line.trim_end();
        let unusable = line.strip_prefix("a=").is_some_and(|rest| rest.starts_with("candidate:") && !usable(rest));
        if !unusable && !line.is_empty() {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    text
}

/// The same text with another name for one of its sections.
pub(crate) fn renamed(sdp: &str, from: &str, to: &str) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        match line.strip_prefix("a=group:BUNDLE") {
            Some(names) => {
                text.push_str("a=group:BUNDLE");
                for name in names.split_ascii_whitespace() {
                    text.push(' ');
                    text.push_str(if name == from { to } else { name });
                }
            }
            None if line.strip_prefix("a=mid:").is_some_and(|name| name.trim() == from) => {
                text.push_str("a=mid:");
                text.push_str(to);
            }
            None => text.push_str(line),
        }
        text.push_str("\r\n");
    }
    text
}

/// Whether a candidate's line names an address over UDP, which is all that we connect to.
pub(crate) fn usable(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (protocol, address) = (words.nth(2), words.nth(1));
    protocol.is_some_and(|name| name.eq_ignore_ascii_case("udp"))
        && address.is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=max-message-size:4194304\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\nm=audio 9 X 0\r\na=mid:1\r\n";

    #[test]
    fn candidates_go_to_the_first_section_and_the_size_is_ours() {
        let text = completed(SDP, ["candidate:2 1 udp 2 10.0.0.2 2 typ host".to_owned()].into_iter(), 262_144);
        assert!(
            text.contains("a=max-message-size:262144\r\na=candidate:2 1 udp 2 10.0.0.2 2 typ host\r\nm=audio"),
            "{text}"
        );
        assert!(!text.contains("10.0.0.1"));
    }

    #[test]
    fn candidates_by_name_or_over_tcp_are_left_out() {
        let sdp = format!(
            "{SDP}a=candidate:3 1 udp 3 0a1b.local 3 typ host\na=candidate:4 1 tcp 4 10.0.0.4 9 typ host tcptype active\n"
        );
        assert_eq!(readable(&sdp), SDP);
    }

    #[test]
    fn a_section_is_renamed_wherever_it_is_named() {
        let sdp = "a=group:BUNDLE abc 1\r\nm=application 9\r\na=mid:abc\r\nm=audio 9\r\na=mid:1\r\n";
        let renamed = renamed(sdp, "abc", "0");
        assert_eq!(renamed, "a=group:BUNDLE 0 1\r\nm=application 9\r\na=mid:0\r\nm=audio 9\r\na=mid:1\r\n");
        assert_eq!(super::renamed(&renamed, "0", "abc"), sdp);
    }

    #[test]
    fn a_size_of_zero_is_any_size_and_silence_is_64_kib() {
        assert_eq!(message_bytes_max("a=max-message-size:0\r\n"), usize::MAX);
        assert_eq!(message_bytes_max("v=0\r\n"), 65_536);
        assert_eq!(message_bytes_max(SDP), 4_194_304);
    }

    #[test]
    fn what_a_browser_writes_is_read() {
        let text = r#"{"candidate":"candidate:1 1 udp 1 10.0.0.1 1 typ srflx raddr 0.0.0.0 rport 0","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}"#;
        let candidate: Candidate = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(candidate.kind(), Some("srflx"));
        assert_eq!(serde_json::to_string(&candidate).ok().as_deref(), Some(text));
    }
}
