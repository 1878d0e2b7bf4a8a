//! Reading and writing JSON where parts of it are none of our business.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use wigwag_wire::Topic;

/// Writes a frame.
pub(crate) fn frame(message: &impl Serialize) -> Bytes {
    // Serialising into memory cannot fail for the messages of this crate: no maps with odd keys, no floats that are not numbers.
    serde_json::to_vec(message).map_or_else(|_| Bytes::new(), Bytes::from)
}

/// Reads a message, or nothing where the text is not such a one.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// For fields that may hold anything: `null` is there too. Goes with `#[serde(borrow, default)]`.
pub(crate) fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
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
    fn any_word_is_a_topic() {
        assert_eq!(topic("room").as_str(), "room");
        let long = topic(&"x".repeat(300));
        assert_eq!(long.as_str().len(), 71);
        assert_ne!(long, topic(&"x".repeat(301)));
        assert_eq!(topic("").as_str().len(), 71);
    }
}
