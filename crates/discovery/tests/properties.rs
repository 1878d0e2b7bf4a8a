//! What holds for any description, and for any damage to a code.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use wigwag_discovery::code::{CANDIDATES_MAX, Code, Kind, ReadError, Tag};

proptest! {
    #[test]
    fn any_text_is_refused_or_read(text in any::<String>(), codelike in "(?i:ww)[0-9A-HJKMNP-TV-Z]{0,80}") {
        for text in [text, codelike] {
            let _ = (Code::read(&text), Code::offer(&text), Code::answer(&text, Tag(1)));
        }
    }

    #[test]
    fn a_code_comes_back_whole(sdp in description(), offer in any::<u32>()) {
        for code in [Code::offer(&sdp).unwrap(), Code::answer(&sdp.replace("actpass", "active"), Tag(offer)).unwrap()] {
            prop_assert!(code.description().is_some(), "{}", sdp);
            prop_assert_eq!(&Code::read(code.as_str()).unwrap(), &code);
            prop_assert_eq!(&Code::read(&code.as_str().to_lowercase()).unwrap(), &code);
            // What is rebuilt means the same, so its code is the same.
            let rebuilt = code.sdp();
            let again = match code.kind() {
                Kind::Offer => Code::offer(&rebuilt),
                Kind::Answer(to) => Code::answer(&rebuilt, to),
            };
            prop_assert_eq!(again.unwrap(), code);
        }
    }

    #[test]
    fn a_rebuilt_description_says_what_was_said(sdp in description()) {
        let code = Code::offer(&sdp).unwrap();
        let rebuilt = code.sdp();
        for field in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=max-message-size:"] {
            let said: Vec<_> = sdp.lines().filter(|line| line.starts_with(field)).collect();
            let says: Vec<_> = rebuilt.lines().filter(|line| line.starts_with(field)).collect();
            prop_assert_eq!(said, says);
        }
        let places = |sdp: &str| -> Vec<String> {
            let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
            let mut places: Vec<_> = lines.map(|line| line.split(' ').skip(4).take(4).collect::<Vec<_>>().join(" ")).collect();
            places.sort();
            places.dedup();
            places
        };
        let (said, says) = (places(&sdp), places(&rebuilt));
        prop_assert!(says.iter().all(|place| said.contains(place)), "{:?} of {:?}", says, said);
        prop_assert_eq!(says.len(), said.len().min(CANDIDATES_MAX));
    }

    #[test]
    fn one_wrong_character_is_found(sdp in description(), at in any::<Index>(), wrong in "[0-9A-HJKMNP-TV-Z]") {
        let mut text = Code::offer(&sdp).unwrap().as_str().to_owned();
        let at = at.index(text.len());
        prop_assume!(text[at..=at] != wrong);
        text.replace_range(at..=at, &wrong);
        prop_assert!(Code::read(&text).is_err());
    }

    #[test]
    fn two_neighbours_that_changed_places_are_found(sdp in description(), at in any::<Index>()) {
        let mut signs: Vec<char> = Code::offer(&sdp).unwrap().as_str().chars().collect();
        let at = at.index(signs.len() - 1);
        prop_assume!(signs[at] != signs[at + 1]);
        signs.swap(at, at + 1);
        prop_assert!(Code::read(&signs.into_iter().collect::<String>()).is_err());
    }

    #[test]
    fn a_code_that_is_cut_says_so(sdp in description(), length in any::<Index>()) {
        let code = Code::offer(&sdp).unwrap();
        let length = 2 + length.index(code.as_str().len() - 2);
        prop_assert_eq!(Code::read(&code.as_str()[..length]), Err(ReadError::CutShort));
    }

    #[test]
    fn any_description_is_kept_as_it_is_if_it_must(lines in vec("[ -~]{0,40}", 0..20), codecs in vec("a=rtpmap:[0-9]{2} [a-z]{3,8}/[0-9]{4,5}", 1..40)) {
        let begin = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 00\r\na=setup:active\r\n";
        let sdp = format!("{begin}{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{}\r\n", lines.join("\r\n"), codecs.join("\r\n"));
        let code = Code::offer(&sdp).unwrap();
        prop_assert!(code.description().is_none());
        let read = Code::read(code.as_str()).unwrap();
        let kept = sdp.replace("a=end-of-candidates\r\n", "");
        prop_assert_eq!(read.sdp(), kept.as_str());
    }
}

/// Descriptions of one data channel section, as browsers write them.
fn description() -> impl Strategy<Value = String> {
    let credentials = prop_oneof![
        ("[A-Za-z0-9+/]{4,40}", "[A-Za-z0-9+/]{22,60}"),
        ("[0-9a-f]{4,40}", "[0-9a-f]{22,60}"),
        ("[A-Za-z0-9+/]{127}", "[0-9a-f]{127}"),
    ];
    let size = prop_oneof![Just(262_144), Just(1_073_741_823), any::<u32>()];
    let setup = select(vec!["actpass", "active", "passive"]);
    (credentials, any::<[u8; 32]>(), setup, size, vec(candidate(), 0..24)).prop_map(
        |((ufrag, pwd), hash, setup, size, candidates)| {
            let hash: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
            let candidates: String = candidates.concat();
            format!(
                "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
                 m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n{candidates}\
                 a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=mid:0\r\n\
                 a=sctp-port:5000\r\na=max-message-size:{size}\r\n",
                hash.join(":")
            )
        },
    )
}

fn candidate() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_string()),
        vec(select(vec![0, 0, 1, 0xfe80, 0x2001]), 8)
            .prop_map(|groups| Ipv6Addr::from(<[u16; 8]>::try_from(groups).unwrap()).to_string()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(bits | 1 << 127).to_string()),
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\\.local",
        "[a-z][a-z0-9-]{0,20}\\.example",
    ];
    (any::<u32>(), address, 1..=u16::MAX, select(vec!["host", "srflx", "relay"])).prop_map(
        |(priority, address, port, kind)| format!("a=candidate:1 1 udp {priority} {address} {port} typ {kind}\r\n"),
    )
}
