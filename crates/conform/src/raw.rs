//! JSON as it is spelled: the exact text of a value and the order of keys, which parsed values no longer have.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of the value at a JSON pointer whose parts are all keys.
pub(crate) fn value<'t>(text: &'t str, pointer: &str) -> Option<&'t str> {
    let Some(parts) = pointer.strip_prefix('/') else { return pointer.is_empty().then_some(text) };
    parts.split('/').try_fold(text, |text, key| {
        let fields = fields(text)?;
        fields.into_iter().find(|(found, _)| found == key).map(|(_, value)| value)
    })
}

/// The keys of an object in their order; none where this is no object.
pub(crate) fn keys(text: &str) -> Vec<String> {
    fields(text).into_iter().flatten().map(|(key, _)| key).collect()
}

fn fields(text: &str) -> Option<Vec<(String, &str)>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let fields = reader.deserialize_map(Fields).ok()?;
    Some(fields.into_iter().map(|(key, value)| (key, value.get())).collect())
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_keys_are_as_they_were_spelled() {
        let text = r#"{"b":{"z":1.0,"a":[1e2, 3]},"a":"ü"}"#;
        assert_eq!(value(text, "/b"), Some(r#"{"z":1.0,"a":[1e2, 3]}"#));
        assert_eq!(value(text, "/b/z"), Some("1.0"));
        assert_eq!(value(text, ""), Some(text));
        assert_eq!(value(text, "/c"), None);
        assert_eq!(value(text, "/a/b"), None);
        assert_eq!(keys(text), ["b", "a"]);
        assert!(keys("[1]").is_empty());
    }
}
