//! What a value is before its key's type has read it, and the plain types that read one.

use std::path::PathBuf;

/// A value as a layer holds it, before the key's type has read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// `true` or `false` in a TOML file.
    Bool(bool),
    /// An integer in a TOML file.
    Int(i64),
    /// A quoted string in a TOML file.
    Str(String),
    /// An array.
    List(Vec<Raw>),
    /// Something that no key takes: the name of what it is.
    Other(&'static str),
    /// Untyped text, from the environment or the command line.
    Text(String),
}

impl Raw {
    fn describe(&self) -> String {
        match self {
            Raw::Bool(b) => format!("`{b}`"),
            Raw::Int(n) => format!("`{n}`"),
            Raw::Str(s) | Raw::Text(s) => format!("{s:?}"),
            Raw::List(_) => "a list".into(),
            Raw::Other(kind) => (*kind).into(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Raw::Str(s) | Raw::Text(s) => Some(s.trim()),
            _ => None,
        }
    }

    pub(super) fn refuse<T: Setting>(&self) -> String {
        format!("{} is not {}", self.describe(), T::KIND)
    }
}

/// What a key's type can do.
pub trait Setting: Sized {
    /// What it is, for people: "true or false".
    const KIND: &'static str;
    /// Reads a layer's value; the error says what is wrong with it.
    fn read(raw: &Raw) -> Result<Self, String>;
    /// Prints it as the TOML value that reads back as itself.
    fn toml(&self) -> String;
}

/// Quotes text as a TOML basic string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(raw: &Raw) -> Result<Self, String> {
        match (raw, raw.text()) {
            (Raw::Bool(b), _) => Ok(*b),
            (Raw::Text(_), Some("true" | "on" | "yes" | "1")) => Ok(true),
            (Raw::Text(_), Some("false" | "off" | "no" | "0")) => Ok(false),
            _ => Err(raw.refuse::<Self>()),
        }
    }

    fn toml(&self) -> String {
        self.to_string()
    }
}

impl Setting for u64 {
    const KIND: &'static str = "a whole number, 0 or more";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Int(n) => Self::try_from(*n).ok(),
            Raw::Text(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        }
        .ok_or_else(|| raw.refuse::<Self>())
    }

    fn toml(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn read(raw: &Raw) -> Result<Self, String> {
        raw.text().map(Into::into).ok_or_else(|| raw.refuse::<Self>())
    }

    fn toml(&self) -> String {
        quote(self)
    }
}

impl Setting for PathBuf {
    const KIND: &'static str = "a path";

    fn read(raw: &Raw) -> Result<Self, String> {
        raw.text().map(Into::into).ok_or_else(|| raw.refuse::<Self>())
    }

    fn toml(&self) -> String {
        quote(&self.to_string_lossy())
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: &'static str = "a list";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::List(items) => items.iter().map(T::read).collect(),
            // One string where a list is wanted is a list of one; plain text separates by commas.
            Raw::Str(_) => Ok(vec![T::read(raw)?]),
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| T::read(&Raw::Text(item.into())))
                .collect(),
            _ => Err(raw.refuse::<Self>()),
        }
    }

    fn toml(&self) -> String {
        let items: Vec<String> = self.iter().map(T::toml).collect();
        format!("[{}]", items.join(", "))
    }
}
