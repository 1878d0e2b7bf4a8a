//! Messages as a peer holds them: what it will ask, written once, and what a server said, with its text as it came.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is to be asked or said: an object with a `type`, without `n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    kind: Box<str>,
    text: Box<str>,
}

/// Why something cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    /// It cannot be written as JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its number is the line's affair.
    #[error("a request is an object with a `type` and without `n`")]
    Shape,
}

impl Body {
    /// Writes a request. Raw JSON in it stays as it is.
    pub fn new(request: &impl Serialize) -> Result<Self, BadBody> {
        Self::from_text(&serde_json::to_string(request)?)
    }

    /// Takes a request that is written already.
    pub fn from_text(text: &str) -> Result<Self, BadBody> {
        let Envelope { kind, n, .. } = serde_json::from_str(text)?;
        let kind = kind.filter(|_| n.is_none() && is_object(text)).ok_or(BadBody::Shape)?.into();
        Ok(Self { kind, text: text.trim().into() })
    }

    /// Its `type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The request without a number.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The request with its number.
    pub(crate) fn numbered(&self, n: u64) -> String {
        with_field(&self.text, "n", n)
    }
}

/// A request's text with one field more.
pub(crate) fn with_field(text: &str, name: &str, value: u64) -> String {
    format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap_or(text))
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    kind: Box<str>,
    text: Box<str>,
    re: Option<u64>,
}

/// A refusal, as a server told it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, thiserror::Error)]
#[serde(default)]
#[error("{code} {name}: {message}")]
pub struct Refused {
    /// A number of `spec/codes.md`.
    pub code: u16,
    /// Its name.
    pub name: String,
    /// For a person.
    pub message: String,
    /// Milliseconds after which asking again may succeed.
    pub retry_after: Option<u64>,
}

impl Frame {
    /// Reads a message; `None` where it is no object with a `type`.
    pub fn read(text: &str) -> Option<Self> {
        let Envelope { kind, re, .. } = serde_json::from_str(text).ok().filter(|_| is_object(text))?;
        let re = re.and_then(|re| re.get().parse().ok());
        Some(Self { kind: kind?.into(), text: text.into(), re })
    }

    /// Its `type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which request it answers.
    pub(crate) fn re(&self) -> Option<u64> {
        self.re
    }

    /// Reads what it holds; `None` where it holds something else.
    pub fn parse<'f, T: Deserialize<'f>>(&'f self) -> Option<T> {
        serde_json::from_str(&self.text).ok()
    }

    /// The refusal that it is, if it is one.
    pub fn refused(&self) -> Option<Refused> {
        (&*self.kind == "error").then(|| self.parse().unwrap_or_default())
    }
}

/// The fields that a line itself looks at.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    re: Option<&'a RawValue>,
}

/// Whether JSON is an object: a list of the right values would be taken for one.
fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_gets_its_number_and_keeps_its_bytes() {
        let raw: &RawValue = serde_json::from_str(r#"{"b":1.0,"a":"ä"}"#).expect("JSON");
        #[derive(Serialize)]
        struct Ask<'a> {
            r#type: &'a str,
            data: &'a RawValue,
        }
        let body = Body::new(&Ask { r#type: "publish", data: raw }).expect("a request");
        assert_eq!(body.numbered(7), r#"{"type":"publish","data":{"b":1.0,"a":"ä"},"n":7}"#);
        assert_eq!(body.kind(), "publish");
    }

    #[test]
    fn what_is_no_request_is_not_asked() {
        for text in [
            "",
            "[]",
            "7",
            r#"["find"]"#,
            r#""type""#,
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"find","n":1}"#,
            r#"{"type":"x"} y"#,
        ] {
            assert!(Body::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_without_a_type_is_none() {
        for text in ["", "[]", "7", "{}", r#"{"type":7}"#, r#"{"type":null}"#, r#"{"type":"x""#] {
            assert_eq!(Frame::read(text), None, "{text}");
        }
        let frame =
            Frame::read(r#"{"type":"error","re":3,"code":4404,"name":"not_found","message":"no"}"#).expect("a frame");
        assert_eq!((frame.kind(), frame.re()), ("error", Some(3)));
        assert_eq!(frame.refused().map(|refused| refused.code), Some(4404));
        for re in ["-1", "1.5", r#""3""#, "null"] {
            assert_eq!(Frame::read(&format!(r#"{{"type":"done","re":{re}}}"#)).and_then(|frame| frame.re()), None);
        }
    }
}
