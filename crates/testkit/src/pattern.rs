//! Patterns for frames: JSON in which some texts have a meaning, as `spec/vectors/README.md` says.

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

    /// The pattern with its names replaced by what they stand for.
    pub fn fill(&self, pattern: &Value) -> Result<Value, String> {
        Ok(match pattern {
            Value::String(text) => match meaning(text) {
                Meaning::Itself(text) => text.into(),
                Meaning::Name(name) => {
                    self.value(name).cloned().ok_or_else(|| format!("${name} stands for nothing"))?
                }
                Meaning::Anything => return Err("\"*\" cannot be sent".into()),
            },
            Value::Array(list) => list.iter().map(|entry| self.fill(entry)).collect::<Result<_, _>>()?,
            Value::Object(fields) => {
                let fill = |(key, value): (&String, &Value)| Ok((key.clone(), self.fill(value)?));
                Value::Object(fields.iter().map(fill).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn fit_at(&mut self, path: &str, pattern: &Value, actual: &Value) -> Result<(), String> {
        let differs = |expected: &Value| Err(format!("at {path:?}: {actual} where {expected} was expected"));
        match (pattern, actual) {
            (Value::String(text), _) => match meaning(text) {
                Meaning::Anything => Ok(()),
                Meaning::Itself(text) if actual.as_str() == Some(text) => Ok(()),
                Meaning::Itself(text) => differs(&text.into()),
                Meaning::Name(name) => match self.0.get(name) {
                    Some(known) if known == actual => Ok(()),
                    Some(known) => differs(known),
                    None => {
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
                for (key, expected) in expected.iter().filter(|(key, _)| *key != "...") {
                    let Some(found) = found.get(key) else {
                        return Err(format!("at {path:?}: no {key:?} in {actual}"));
                    };
                    self.fit_at(&format!("{path}/{key}"), expected, found)?;
                }
                match found.keys().find(|key| !expected.contains_key(*key)) {
                    Some(extra) if !expected.contains_key("...") => {
                        Err(format!("at {path:?}: unexpected {extra:?} in {actual}"))
                    }
                    _ => Ok(()),
                }
            }
            (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => Ok(()),
            _ if pattern == actual => Ok(()),
            _ => differs(pattern),
        }
    }
}

enum Meaning<'a> {
    Anything,
    Name(&'a str),
    Itself(&'a str),
}

fn meaning(text: &str) -> Meaning<'_> {
    match text.strip_prefix('$') {
        _ if text == "*" => Meaning::Anything,
        Some(rest) if rest.starts_with('$') => Meaning::Itself(rest),
        Some(name) => Meaning::Name(name),
        None => Meaning::Itself(text),
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
}
