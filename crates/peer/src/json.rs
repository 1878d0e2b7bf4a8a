//! JSON as `JSON.stringify` of a value read by `JSON.parse` writes it: what two peers of different languages hash alike.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use wigwag_wire::raw::depth_within;

/// Nobody nests deeper who means well.
const DEPTH_MAX: u64 = 128;

/// Writes this JSON so; `None` where it is no JSON, or nested too deeply.
pub(crate) fn stringify(json: &str) -> Option<String> {
    if !depth_within(json, DEPTH_MAX) {
        return None;
    }
    let value = Value::read(serde_json::from_str(json).ok()?)?;
    let mut text = String::with_capacity(json.len());
    value.write(&mut text).ok()?;
    Some(text)
}

enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    /// In the order in which a JavaScript object keeps its fields: numbers that could count a list first, then as they came.
    Object(Vec<(String, Value)>),
}

impl Value {
    fn read(json: &RawValue) -> Option<Self> {
        let text = json.get();
        Some(match text.as_bytes().first()? {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::List(list.into_iter().map(Self::read).collect::<Option<_>>()?)
            }
            b'{' => {
                let Fields(mut fields) = serde_json::from_str(text).ok()?;
                fields.sort_by_key(|(name, _)| place(name).unwrap_or(u32::MAX));
                let read = |(name, value): (Cow<'_, str>, &RawValue)| Some((name.into_owned(), Self::read(value)?));
                Self::Object(fields.into_iter().map(read).collect::<Option<_>>()?)
            }
            _ => Self::Number(text.parse().ok()?),
        })
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(truth) => write!(out, "{truth}"),
            Self::Number(number) => write_number(*number, out),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                out.push('[');
                for (at, value) in list.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    value.write(out)?;
                }
                out.write_str("]")
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    write_text(name, out)?;
                    out.push(':');
                    value.write(out)?;
                }
                out.write_str("}")
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) -> fmt::Result {
    out.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

/// A number as ECMAScript writes it: the shortest digits that lead back to it, with an exponent only far from one.
fn write_number(number: f64, out: &mut String) -> fmt::Result {
    if number == 0.0 {
        return out.write_str("0");
    }
    if !number.is_finite() {
        return out.write_str("null");
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').ok_or(fmt::Error)?;
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    out.push_str(if number < 0.0 { "-" } else { "" });
    // How many digits stand before the point.
    let point = exponent + 1;
    let count = digits.len() as i32;
    match point {
        1..=21 if count <= point => {
            out.push_str(&digits);
            (count..point).for_each(|_| out.push('0'));
            Ok(())
        }
        1..=21 => write!(out, "{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => {
            out.push_str("0.");
            (point..0).for_each(|_| out.push('0'));
            out.write_str(&digits)
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            write!(out, "{first}{dot}{rest}e{exponent:+}")
        }
    }
}

/// A name that JavaScript puts before others: a whole number below 2³² − 1, as it would write it.
fn place(name: &str) -> Option<u32> {
    let number: u32 = name.parse().ok()?;
    (number < u32::MAX && number.to_string() == name).then_some(number)
}

/// The fields of an object. The last of two of a name wins, in the place of the first.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        let mut known: BTreeMap<Cow<'de, str>, usize> = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &RawValue>()? {
            match known.get(&name) {
                Some(at) => fields[*at].1 = value,
                None => {
                    known.insert(name.clone(), fields.len());
                    fields.push((name, value));
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_javascript_writes_them() {
        for (json, expected) in [
            ("null", "null"),
            (" [ 1 , true , \"x\" ] ", "[1,true,\"x\"]"),
            (r#"{"b":1,"a":{"d":[],"c":{}}}"#, r#"{"b":1,"a":{"d":[],"c":{}}}"#),
            (r#"{"b":1,"10":2,"9":3,"01":4,"4294967295":5,"b":6}"#, r#"{"9":3,"10":2,"b":6,"01":4,"4294967295":5}"#),
            (r#""\u00e4\u2028\/\n\u0007\u007f""#, "\"ä\u{2028}/\\n\\u0007\u{7f}\""),
            ("1.0", "1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e3", "1000"),
            ("-1.50", "-1.5"),
            ("123456789012345678901", "123456789012345680000"),
            ("1e21", "1e+21"),
            ("1.25e21", "1.25e+21"),
            ("0.000001", "0.000001"),
            ("0.00000125", "0.00000125"),
            ("0.0000001", "1e-7"),
            ("9007199254740993", "9007199254740992"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.1", "0.1"),
            ("[1e400,-1e400]", "[null,null]"),
            ("100.25", "100.25"),
        ] {
            assert_eq!(stringify(json).as_deref(), Some(expected), "{json}");
        }
        for nothing in ["", "{", "[1,]", "1 2", "NaN", &"[".repeat(100_000), r#"{"a":"}"#] {
            assert_eq!(stringify(nothing), None);
        }
        let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
        assert_eq!((stringify(&deep), stringify(&deep[1..257])), (None, Some(deep[1..257].to_owned())));
    }
}
