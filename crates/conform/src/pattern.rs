//! Patterns for frames: JSON in which some texts have a meaning, as `spec/vectors/README.md` says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

/// What the names of patterns stand for.
#[derive(Clone, Debug, Default)]
pub struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    /// Gives a name its meaning.
    pub fn bind(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// What a name stands for.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether `actual` fits; new names keep what they fit. The error says where it does not.
    pub fn fit(&mut self, pattern: &Value, actual: &Value) -> Result<(), String> {
        self.fit_at("", pattern, actual)
    }

    /// Whether these fit these in any order; on success new names keep what they fit.
    pub fn fit_in_any_order(&mut self, patterns: &[Value], actual: &[Value]) -> bool {
        let Some((first, rest)) = patterns.split_first() else { return actual.is_empty() };
        (0..actual.len()).any(|at| {
            let mut names = self.clone();
            let others: Vec<Value> = [&actual[..at], &actual[at + 1..]].concat();
            let fits = names.fit(first, &actual[at]).is_ok() && names.fit_in_any_order(rest, &others);
            if fits {
                *self = names;
            }
            fits
        })
    }

    /// The pattern with its names replaced by what they stand for.
    pub fn fill(&self, pattern: &Value) -> Result<Value, String> {
        Ok(match pattern {
            Value::String(text) => match meaning(text) {
                Meaning::Itself(text) => self.splice(text, str::to_owned).into_owned().into(),
                Meaning::Name(name, _) => {
                    self.value(name).cloned().ok_or_else(|| format!("${name} stands for nothing"))?
                }
                Meaning::Anything(_) => return Err("\"*\" cannot be sent".into()),
            },
            Value::Array(list) => list.iter().map(|entry| self.fill(entry)).collect::<Result<_, _>>()?,
            Value::Object(fields) => {
                let fill = |(key, value): (&String, &Value)| Ok((self.key(key), self.fill(value)?));
                Value::Object(fields.iter().map(fill).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// The text in which each `{name}` of a text is what it stands for, written as `write` has it. What stands for nothing stays.
    pub fn splice<'t>(&self, text: &'t str, write: impl Fn(&str) -> String) -> Cow<'t, str> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            done.push_str(before);
            let known = after.split_once('}').and_then(|(name, left)| Some((self.value(name)?, left)));
            match known {
                Some((Value::String(value), left)) => {
                    done.push_str(&write(value));
                    rest = left;
                }
                Some((value, left)) => {
                    done.push_str(&value.to_string());
                    rest = left;
                }
                None => {
                    done.push('{');
                    rest = after;
                }
            }
        }
        if done.is_empty() {
            return Cow::Borrowed(text);
        }
        done.push_str(rest);
        Cow::Owned(done)
    }

    /// The text of a pattern for people: with what its names stand for, as far as that is known.
    pub fn show(&self, pattern: &str) -> String {
        let spliced = self.splice(pattern, escape).into_owned();
        self.0.iter().fold(spliced, |text, (name, value)| text.replace(&format!("\"${name}\""), &value.to_string()))
    }

    fn key(&self, key: &str) -> String {
        self.splice(key, str::to_owned).into_owned()
    }

    fn fit_at(&mut self, path: &str, pattern: &Value, actual: &Value) -> Result<(), String> {
        let differs = |expected: &Value| Err(format!("at {path:?}: {actual} where {expected} was expected"));
        match (pattern, actual) {
            (Value::String(text), _) => match meaning(text) {
                Meaning::Anything(kind) => kind.of(path, actual),
                Meaning::Itself(text) => {
                    let text = self.splice(text, str::to_owned);
                    if actual.as_str() == Some(&*text) { Ok(()) } else { differs(&(&*text).into()) }
                }
                Meaning::Name(name, kind) => match self.0.get(name) {
                    Some(known) if known == actual => Ok(()),
                    Some(known) => differs(known),
                    None => {
                        kind.of(path, actual)?;
                        self.bind(name, actual.clone());
                        Ok(())
                    }
                },
            },
            (Value::Array(expected), Value::Array(found)) => {
                if expected.len() != found.len() {
                    return differs(pattern);
                }
                let pairs = expected.iter().zip(found).enumerate();
                pairs.into_iter().try_for_each(|(at, (e, f))| self.fit_at(&format!("{path}/{at}"), e, f))
            }
            (Value::Object(expected), Value::Object(found)) => {
                let open = expected.contains_key("...");
                let expected: BTreeMap<String, &Value> =
                    expected.iter().filter(|(key, _)| *key != "...").map(|(key, e)| (self.key(key), e)).collect();
                for (key, expected) in &expected {
                    let Some(found) = found.get(key) else {
                        return Err(format!("at {path:?}: no {key:?} in {actual}"));
                    };
                    self.fit_at(&format!("{path}/{key}"), expected, found)?;
                }
                match found.keys().find(|key| !expected.contains_key(*key)) {
                    Some(extra) if !open => Err(format!("at {path:?}: unexpected {extra:?} in {actual}")),
                    _ => Ok(()),
                }
            }
            (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => Ok(()),
            _ if pattern == actual => Ok(()),
            _ => differs(pattern),
        }
    }
}

/// A text as it stands inside the quotes of a JSON text.
pub(crate) fn escape(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

enum Meaning<'a> {
    Anything(Kind<'a>),
    Name(&'a str, Kind<'a>),
    Itself(&'a str),
}

/// What a value must be where its worth does not matter.
#[derive(Clone, Copy)]
struct Kind<'a>(&'a str);

impl Kind<'_> {
    fn of(self, path: &str, actual: &Value) -> Result<(), String> {
        let fits = match self.0 {
            "" => true,
            "number" => actual.is_number(),
            "text" => actual.as_str().is_some_and(|text| !text.is_empty()),
            "uuid" => actual.as_str().is_some_and(is_uuid),
            unknown => return Err(format!("patterns know no kind {unknown:?}")),
        };
        if fits { Ok(()) } else { Err(format!("at {path:?}: {actual} where a {} was expected", self.0)) }
    }
}

/// Whether this is the usual text of a UUID, in small letters.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn meaning(text: &str) -> Meaning<'_> {
    let split = |text| str::split_once(text, ':').map_or((text, Kind("")), |(name, kind)| (name, Kind(kind)));
    match (text.strip_prefix('$'), text.strip_prefix("*:")) {
        _ if text == "*" => Meaning::Anything(Kind("")),
        (_, Some(kind)) => Meaning::Anything(Kind(kind)),
        (Some(rest), _) if rest.starts_with('$') => Meaning::Itself(rest),
        (Some(rest), _) => {
            let (name, kind) = split(rest);
            Meaning::Name(name, kind)
        }
        (None, None) => Meaning::Itself(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_keeps_what_it_met_first() {
        let mut names = Bindings::default();
        assert_eq!(names.fit(&json!({"a": "$x", "b": ["$x", "*"]}), &json!({"a": 7, "b": [7, {}]})), Ok(()));
        assert!(names.fit(&json!("$x"), &json!(8)).is_err());
        assert_eq!(names.fill(&json!(["$x", "$$x"])), Ok(json!([7, "$x"])));
        assert!(names.fill(&json!("$y")).is_err());
    }

    #[test]
    fn fields_are_exactly_these_unless_dots_say_otherwise() {
        let mut names = Bindings::default();
        assert!(names.fit(&json!({"a": 1}), &json!({"a": 1, "b": 2})).is_err());
        assert!(names.fit(&json!({"a": 1, "b": 2}), &json!({"a": 1})).is_err());
        assert_eq!(names.fit(&json!({"a": 1, "...": "*"}), &json!({"a": 1.0, "b": 2})), Ok(()));
    }

    #[test]
    fn a_misfit_says_where() {
        let misfit = Bindings::default().fit(&json!({"a": [1, {"b": "x"}]}), &json!({"a": [1, {"b": "y"}]}));
        assert_eq!(misfit, Err(r#"at "/a/1/b": "y" where "x" was expected"#.into()));
    }

    #[test]
    fn a_kind_is_asked_for_where_the_value_does_not_matter() {
        let mut names = Bindings::default();
        assert_eq!(names.fit(&json!("$at:number"), &json!(7)), Ok(()));
        assert_eq!(names.value("at"), Some(&json!(7)));
        let id = "0b5fa2a4-8a2c-4b57-9a51-1c2f6a1e7d10";
        assert_eq!(names.fit(&json!("*:uuid"), &json!(id)), Ok(()));
        for (pattern, actual) in
            [("*:number", json!("7")), ("$new:text", json!("")), ("*:uuid", json!("x")), ("*:x", json!(1))]
        {
            assert!(names.fit(&json!(pattern), &actual).is_err(), "{pattern} {actual}");
        }
        assert_eq!(names.value("new"), None);
    }

    #[test]
    fn a_known_name_in_braces_is_put_into_a_longer_text() {
        let mut names = Bindings::default();
        names.bind("room", "blue");
        assert_eq!(names.fill(&json!({"{room}": "in {room}, {not}"})), Ok(json!({"blue": "in blue, {not}"})));
        assert_eq!(names.fit(&json!({"{room}": "{room}"}), &json!({"blue": "blue"})), Ok(()));
        assert!(names.fit(&json!("{room}"), &json!("{room}")).is_err());
        assert_eq!(names.splice("/{room}/x", str::to_uppercase), "/BLUE/x");
    }

    #[test]
    fn people_are_shown_what_names_stand_for() {
        let mut names = Bindings::default();
        names.bind("room", "b\"lue");
        names.bind("n", 7);
        assert_eq!(names.show(r#"{"a":"$n","b":"in {room}","c":"$new"}"#), r#"{"a":7,"b":"in b\"lue","c":"$new"}"#);
    }

    #[test]
    fn frames_fit_in_any_order_only_if_each_fits_one() {
        let (a, b) = (json!({"n": "$x"}), json!({"n": 1}));
        let mut names = Bindings::default();
        assert!(names.fit_in_any_order(&[a.clone(), b.clone()], &[json!({"n": 1}), json!({"n": 2})]));
        assert_eq!(names.value("x"), Some(&json!(2)));
        assert!(!Bindings::default().fit_in_any_order(&[a.clone(), b], &[json!({"n": 2}), json!({"n": 3})]));
        assert!(!Bindings::default().fit_in_any_order(&[a], &[]));
    }
}
