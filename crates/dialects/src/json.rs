//! Reading and writing JSON where parts of it are none of our business.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use wigwag_wire::Topic;

/// Writes a frame.
pub(crate) fn frame(message: &impl Serialize) -> Bytes {
    // Serialising into memory cannot fail for the messages of this crate: no maps with odd keys, no floats that are not numbers.
    serde_json::to_vec(message).map_or_else(|_| Bytes::new(), Bytes::from)
}

/// Reads a message, or nothing where the text is not such a one. A message is an object: a list of its fields' values is none.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    begins_an_object(text).then(|| serde_json::from_str(text).ok()).flatten()
}

/// Whether a text is JSON, but no object.
pub(crate) fn is_no_object(text: &str) -> bool {
    !begins_an_object(text) && is_json(text)
}

fn begins_an_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Whether a text is JSON at all.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether a text has more bytes than a limit allows, where `0` is no limit.
pub(crate) const fn is_longer(text: &str, limit: u64) -> bool {
    limit != 0 && text.len() as u64 > limit
}

/// For fields that must hold a text and something in it: anything else counts as missing. Goes with `#[serde(borrow, default)]`.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text<'de>>, D::Error> {
    <&RawValue>::deserialize(from).map(text_of)
}

/// A text with something in it.
pub(crate) fn text_of(raw: &RawValue) -> Option<Text<'_>> {
    let plain = serde_json::from_str::<&str>(raw.get()).map(Cow::Borrowed);
    plain.or_else(|_| serde_json::from_str::<String>(raw.get()).map(Cow::Owned)).ok().filter(|text| !text.is_empty())
}

/// For fields that may hold anything: `null` is there too. Goes with `#[serde(borrow, default)]`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: From<&'de RawValue>>(from: D) -> Result<Option<T>, D::Error> {
    <&RawValue>::deserialize(from).map(|raw| Some(raw.into()))
}

/// A whole text as content, without the white space around it.
pub(crate) fn whole(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text.trim_matches([' ', '\t', '\r', '\n'])).ok()
}

/// An object's text with one more field before its end. `field` is written as it shall stand there: `"key":value`.
pub(crate) fn with_field(object: &str, field: &str) -> String {
    let body = object.trim_end().strip_suffix('}').unwrap_or(object).trim_end();
    let comma = if body.ends_with('{') { "" } else { "," };
    let mut text = String::with_capacity(body.len() + field.len() + 2);
    text.push_str(body);
    text.push_str(comma);
    text.push_str(field);
    text.push('}');
    text
}

/// A client's own word as a topic. One that is no good topic (too long, say) is known by its hash.
pub(crate) fn topic(word: &str) -> Topic {
    Topic::new(word).unwrap_or_else(|_| {
        let name = format!("sha256~{}", HEXLOWER.encode(&Sha256::digest(word.as_bytes())));
        Topic::new(&name).unwrap_or_else(|_| unreachable!("a hash is a good topic"))
    })
}

/// A field that must be a text.
pub(crate) type Text<'a> = Cow<'a, str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_added_and_the_rest_stays_as_it_is() {
        assert_eq!(with_field("{}", "\"n\":1"), "{\"n\":1}");
        assert_eq!(with_field("{ } ", "\"n\":1"), "{\"n\":1}");
        assert_eq!(with_field("{\"b\": 1.0, \"a\":[{}] }\n", "\"n\":1"), "{\"b\": 1.0, \"a\":[{}],\"n\":1}");
    }

    #[test]
    fn a_list_is_no_message() {
        #[derive(Deserialize)]
        struct Message {
            n: u8,
        }
        assert_eq!(read::<Message>(" \n{\"n\":1}").map(|message| message.n), Some(1));
        assert!(read::<Message>("[1]").is_none());
        assert!(is_json("[1]") && !is_json("[1"));
    }

    #[test]
    fn a_text_field_that_holds_none_is_missing() {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(borrow, default, deserialize_with = "text")]
            word: Option<Text<'a>>,
        }
        let word = |json: &'static str| read::<Message<'_>>(json).map(|message| message.word);
        assert_eq!(word(r#"{"word":"a"}"#), Some(Some("a".into())));
        assert_eq!(word(r#"{"word":"\u0061"}"#), Some(Some("a".into())));
        for nothing in [r#"{}"#, r#"{"word":""}"#, r#"{"word":null}"#, r#"{"word":7}"#, r#"{"word":"\ud800"}"#] {
            assert_eq!(word(nothing), Some(None), "{nothing}");
        }
        assert_eq!(word(r#"{"word":"a","word":"b"}"#), None);
    }

    #[test]
    fn any_word_is_a_topic() {
        assert_eq!(topic("room").as_str(), "room");
        let long = topic(&"x".repeat(300));
        assert_eq!(long.as_str().len(), 71);
        assert_ne!(long, topic(&"x".repeat(301)));
        assert_eq!(topic("").as_str().len(), 71);
    }
}
