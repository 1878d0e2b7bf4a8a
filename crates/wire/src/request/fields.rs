//! One pass over a frame splits it into its fields; each field is then read by itself, so that an error can name it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::code::{Code, Refusal};
use crate::id::IdError;
use crate::key::PublicKey;
use crate::raw::Content;
use crate::sight::{self, Value};

/// Most fields of a request, known or not.
pub const FIELDS_MAX: usize = 32;

/// Most entries of a list of ids or topics.
pub const LIST_MAX: usize = 256;

/// The greatest integer that every language reads alike.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The fields of one frame, none of them read yet.
#[derive(Default)]
pub(super) struct Fields<'a> {
    list: SmallVec<[(Cow<'a, str>, Value<'a>); 10]>,
    too_many: bool,
    /// Whether it is known that no field holds others.
    is_flat: bool,
    /// A bit for each kind of key that there is, by length and first sign: where each has its own, none is there twice.
    kinds: u64,
    maybe_twice: bool,
}

impl<'a> Fields<'a> {
    /// Splits a frame into these, which are none yet: they are too many bytes to be handed up. All of it is checked to be JSON.
    pub(super) fn split(&mut self, text: &'a str) -> Result<(), Refusal> {
        if let Some(is_flat) = sight::fields(text, |key, value| self.push(Cow::Borrowed(key), value)) {
            self.is_flat = is_flat;
            return Ok(());
        }
        self.parse(text)
    }

    /// The same by the library alone.
    #[cold]
    fn parse(&mut self, text: &'a str) -> Result<(), Refusal> {
        *self = Self::default();
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(FieldsVisitor(self)).and_then(|()| json.end()).map_err(|why| malformed(&why))
    }

    #[inline(always)]
    fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        let first = key.as_bytes().first().map_or(0, |first| u32::from(*first));
        let kind = 1u64.rotate_left(first + 3 * key.len() as u32);
        self.maybe_twice |= self.kinds & kind != 0;
        self.kinds |= kind;
        if self.list.len() < FIELDS_MAX {
            self.list.push((key, value));
        } else {
            self.too_many = true;
        }
    }

    /// Whether no field holds others, as far as that is known.
    pub(super) fn is_flat(&self) -> bool {
        self.is_flat
    }

    /// Refuses too many fields, and a field that is there twice.
    #[inline]
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.too_many {
            return Err(Refusal::new(Code::BadField, format!("More than {FIELDS_MAX} fields.")));
        }
        if self.maybe_twice { self.look_for_twins() } else { Ok(()) }
    }

    #[cold]
    fn look_for_twins(&self) -> Result<(), Refusal> {
        for (at, (key, _)) in self.list.iter().enumerate() {
            if self.list[..at].iter().any(|(other, _)| other == key) {
                let shown = if key.len() <= 32 { key } else { "A field" };
                return Err(Refusal::new(Code::BadField, format!("`{shown}` is there twice.")));
            }
        }
        Ok(())
    }

    /// A field as it stands there.
    #[inline(always)]
    fn value(&self, name: &str) -> Option<Value<'a>> {
        self.list.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A field as the library reads it.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.value(name).and_then(Value::raw)
    }

    /// Content that must be there; it may be `null`.
    #[inline(always)]
    pub(super) fn content(&self, name: &'static str) -> Result<Content<'a>, Refusal> {
        self.value(name).map(Value::content).ok_or_else(|| missing(name))
    }

    /// Content that may be there, of at most `max` bytes; 0 is no limit. It may be `null`.
    pub(super) fn small(&self, name: &'static str, max: u64) -> Result<Option<&'a RawValue>, Refusal> {
        let raw = self.raw(name);
        raw.map_or(Ok(()), |raw| within(name, raw.get(), max))?;
        Ok(raw)
    }

    /// A text.
    #[inline(always)]
    pub(super) fn text(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.some(name).map(|value| string(value).ok_or_else(|| bad(name, "must be a text"))).transpose()
    }

    /// A text of at most `max` bytes, else refused with `code`.
    pub(super) fn short_text(&self, name: &'static str, max: usize, code: Code) -> Result<Option<String>, Refusal> {
        match self.text(name)? {
            Some(text) if text.len() > max => {
                Err(Refusal::new(code, format!("`{name}` must not be longer than {max} bytes.")))
            }
            text => Ok(text.map(Cow::into_owned)),
        }
    }

    /// A name of any kind, by that kind's rules.
    pub(super) fn name<T>(
        &self,
        name: &'static str,
        make: impl FnOnce(&str) -> Result<T, IdError>,
    ) -> Result<Option<T>, Refusal> {
        self.text(name)?.map(|text| make(&text).map_err(|why| bad(name, why))).transpose()
    }

    /// A name that must be there.
    pub(super) fn needed<T>(
        &self,
        name: &'static str,
        make: impl FnOnce(&str) -> Result<T, IdError>,
    ) -> Result<T, Refusal> {
        self.name(name, make)?.ok_or_else(|| missing(name))
    }

    /// A name that must be there, left in the frame once it is checked.
    #[inline(always)]
    pub(super) fn checked(
        &self,
        name: &'static str,
        check: fn(&str) -> Result<(), IdError>,
    ) -> Result<Cow<'a, str>, Refusal> {
        let text = self.text(name)?.ok_or_else(|| missing(name))?;
        check(&text).map_err(|why| bad(name, why))?;
        Ok(text)
    }

    /// An integer within bounds.
    #[inline(always)]
    pub(super) fn integer(&self, name: &'static str, min: u64, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(raw) = self.some(name) else { return Ok(None) };
        match raw.get().parse() {
            Ok(value) if (min..=max).contains(&value) => Ok(Some(value)),
            _ => Err(bad(name, format_args!("must be an integer from {min} to {max}"))),
        }
    }

    /// A small integer, at least `min`.
    pub(super) fn count(&self, name: &'static str, min: u32) -> Result<Option<u32>, Refusal> {
        let value = self.integer(name, min.into(), u32::MAX.into())?;
        Ok(value.map(|value| u32::try_from(value).unwrap_or(u32::MAX)))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Refusal> {
        match self.some(name).map(Value::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(bad(name, "must be true or false")),
        }
    }

    /// A public key.
    pub(super) fn key(&self, name: &'static str) -> Result<Option<PublicKey>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        PublicKey::parse(&text).map(Some).map_err(|why| Refusal::new(Code::BadKey, format!("`{name}`: {why}.")))
    }

    /// A list of names, of `min` to `max` entries.
    pub(super) fn list<T>(
        &self,
        name: &'static str,
        (min, max): (usize, usize),
        make: impl Fn(&str) -> Result<T, IdError>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        let Some(raw) = self.some(name) else { return Ok(None) };
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let entries = json.deserialize_seq(ListVisitor { max }).map_err(|_| bad(name, "must be a list"))?;
        let Some(entries) = entries.filter(|entries| entries.len() >= min) else {
            return Err(bad(name, format_args!("must hold {min} to {max} entries")));
        };
        let entries = entries.into_iter().enumerate().map(|(at, raw)| {
            let text = string(Value::Raw(raw)).ok_or_else(|| bad(name, "must hold texts"))?;
            make(&text).map_err(|why| bad(name, format_args!("[{at}] {why}")))
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// The fields of an object inside this one.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Self>, Refusal> {
        let Some(raw) = self.some(name) else { return Ok(None) };
        let mut fields = Self::default();
        fields.split(raw.get()).map_err(|_| bad(name, "must be an object"))?;
        fields.check()?;
        Ok(Some(fields))
    }

    /// A field that is there and not `null`.
    #[inline(always)]
    fn some(&self, name: &str) -> Option<Value<'a>> {
        self.value(name).filter(|value| value.get() != "null")
    }
}

/// The refusal of a field that is wrong.
pub(super) fn bad(name: &str, why: impl fmt::Display) -> Refusal {
    Refusal::new(Code::BadField, format!("`{name}` {why}."))
}

/// The refusal of a field that is not there.
pub(super) fn missing(name: &str) -> Refusal {
    bad(name, "is missing")
}

/// Refuses content of more than `max` bytes; 0 is no limit.
pub(super) fn within(name: &str, content: &str, max: u64) -> Result<(), Refusal> {
    if max != 0 && content.len() as u64 > max {
        return Err(Refusal::new(Code::TooLarge, format!("`{name}` is larger than {max} bytes.")));
    }
    Ok(())
}

/// The text of a JSON string. `None` for any other JSON, and for escapes that are no characters.
#[inline]
fn string(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Known(_) => value.plain().map(Cow::Borrowed),
        Value::Raw(raw) => string_by_library(raw),
    }
}

#[cold]
fn string_by_library(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    match inner.contains('\\') {
        true => serde_json::from_str(raw.get()).ok().map(Cow::Owned),
        false => Some(Cow::Borrowed(inner)),
    }
}

/// The library's words for a wrong kind quote what they found, which is nobody else's business; those for bad syntax do not.
#[cold]
fn malformed(why: &serde_json::Error) -> Refusal {
    match why.is_data() {
        true => Refusal::new(Code::Malformed, "Not a JSON object."),
        false => Refusal::new(Code::Malformed, format!("Not JSON: {why}.")),
    }
}

/// Puts the fields where they stay: they are too many bytes to be handed up by value.
struct FieldsVisitor<'f, 'de>(&'f mut Fields<'de>);

impl<'de> Visitor<'de> for FieldsVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let value = map.next_value()?;
            self.0.push(key, Value::Raw(value));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a list of at most `max` entries; a longer one is `None`, and only its beginning is kept meanwhile.
struct ListVisitor {
    max: usize,
}

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while entries.len() < self.max {
            match seq.next_element()? {
                Some(entry) => entries.push(entry),
                None => return Ok(Some(entries)),
            }
        }
        let mut more = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        Ok((!more).then_some(entries))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// Reads a frame in both ways: what is split at sight must be what the library finds.
    fn agree(text: &str) -> Result<bool, TestCaseError> {
        let list = |fields: &Fields<'_>| -> Vec<(String, String)> {
            fields.list.iter().map(|(key, value)| (key.to_string(), value.get().to_owned())).collect()
        };
        let mut quick = Fields::default();
        let split = sight::fields(text, |key, value| quick.push(Cow::Borrowed(key), value));
        let Some(is_flat) = split else { return Ok(false) };
        let mut whole = Fields::default();
        prop_assert!(whole.parse(text).is_ok(), "{text:?} is no JSON object");
        prop_assert_eq!(list(&quick), list(&whole), "{:?}", text);
        prop_assert_eq!(quick.too_many, whole.too_many);
        prop_assert_eq!(quick.check().is_ok(), !quick.too_many && quick.look_for_twins().is_ok());
        prop_assert!(!is_flat || crate::raw::depth_within(text, 1), "{text:?} is not flat");
        for (key, value) in &quick.list {
            let raw = value.raw().map(RawValue::get);
            prop_assert_eq!(raw, Some(value.get()), "{} of {:?}", key, text);
            prop_assert_eq!(value.content().get(), value.get());
        }
        Ok(true)
    }

    proptest! {
        /// Pieces of JSON in any order, most of which make none.
        #[test]
        fn what_is_split_at_sight_is_what_the_library_finds(pieces in proptest::collection::vec(any_piece(), 0..14)) {
            agree(&pieces.concat())?;
            agree(&format!("{{{}}}", pieces.concat()))?;
        }

        /// Fields that are there, with all that a value can be.
        #[test]
        fn good_frames_are_split(fields in proptest::collection::vec((0..40usize, any_value()), 1..40), gap in " {0,2}") {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("\"k{key}\"{gap}:{gap}{value}")).collect();
            let text = format!("{gap}{{{}{gap}}}{gap}", fields.join(&format!("{gap},")));
            prop_assert!(agree(&text)?, "{text} is left to the library");
        }
    }

    fn any_piece() -> impl Strategy<Value = String> {
        let signs = [
            "{", "}", "[", "]", "\"", ":", ",", " ", "\n", "\\", "\\\"", "\u{1}", "é", "\"a\"", "\"a\":", "0", "01",
            "1.5",
        ];
        let words = ["-1", "12", "1e3", "true", "truely", "fals", "null", "\"k\":1,", "\"k\":\"v\"", "\"\\u00e9\""];
        prop_oneof![proptest::sample::select(signs.to_vec()), proptest::sample::select(words.to_vec())]
            .prop_map(str::to_owned)
    }

    fn any_value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z é~@.]{0,12}".prop_map(|text| format!("\"{text}\"")),
            (100..300usize).prop_map(|length| format!("\"{}\"", "x".repeat(length))),
            Just(r#""with \"escapes\" \u00e9 \\""#.to_owned()),
            (0..u64::MAX).prop_map(|number| number.to_string()),
            proptest::sample::select(vec!["true", "false", "null", "0", "[]", "{}", r#"{"a":[1,{"b":"}"}]}"#])
                .prop_map(str::to_owned),
            proptest::sample::select(vec![
                r#"{"v":1,"call":"AAECAw","i":17,"box":"3q2-7w"}"#,
                r#"{ "a" : { "b":"c" , "d":{"e":{"f":null}} } }"#,
                r#"{"sdp":"v=0\r\no=- 1 1","n":-1.5e3,"m":[{}]}"#,
                r#"{"a":{"b":0}}"#,
                r#"{"sdp":{"type":"offer","sdp":"v=0\r\n\"\\\/\b\f\n\r\t"}}"#,
                r#"{"a":"\\","b":{"c":"\"","d":"\u00e9"}}"#,
            ])
            .prop_map(str::to_owned),
        ]
    }
}
