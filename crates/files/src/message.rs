//! The words of a transfer, read so that what is there is valid.

use serde_json::{Map, Value, json};

use crate::chain::Digest;
use crate::path::FilePath;

/// Numbers are below this.
const NUMBER_MAX: f64 = 9_007_199_254_740_992.0;

/// Longest name of an offer, in characters.
const NAME_MAX: usize = 255;

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is called for people.
    pub name: String,
    /// How many files.
    pub files: u64,
    /// How many bytes in all.
    pub bytes: u64,
}

/// Why a transfer ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The person at the other end said no.
    Declined,
    /// A person ended it.
    Cancelled,
    /// The receiver cannot keep so much.
    TooLarge,
    /// The receiver could not write.
    Disk,
    /// A file changed, or cannot be read any more.
    Changed,
    /// A path that may not cross.
    BadPath,
    /// Somebody did not keep to the page, or a hash differs.
    Broken,
}

impl Reason {
    /// As it crosses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::TooLarge => "too_large",
            Self::Disk => "disk",
            Self::Changed => "changed",
            Self::BadPath => "bad_path",
            Self::Broken => "broken",
        }
    }

    /// One that is not known is a cancellation.
    fn read(text: &str) -> Self {
        let all = [Self::Declined, Self::TooLarge, Self::Disk, Self::Changed, Self::BadPath, Self::Broken];
        all.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::Cancelled)
    }
}

/// What cannot be read as a message, and what the other side is told then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub Reason);

/// What a sender says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromSender {
    /// Would you take this?
    Offer(Offer),
    /// An empty folder.
    Folder {
        /// Its number.
        n: u64,
        /// Where it belongs.
        path: FilePath,
    },
    /// A file is to come.
    File {
        /// Its number.
        n: u64,
        /// Where it belongs.
        path: FilePath,
        /// How many bytes it has.
        size: u64,
        /// When it was last changed, in milliseconds since 1970.
        modified: Option<u64>,
        /// Whether it may be run.
        executable: bool,
    },
    /// Its pieces follow from there on.
    Bytes {
        /// Its number.
        n: u64,
        /// From where.
        from: u64,
    },
    /// It is over.
    End {
        /// Its number.
        n: u64,
        /// The chain over all of it.
        hash: Digest,
    },
    /// Every file was kept or skipped.
    Done,
    /// It ends here.
    No(Reason),
}

/// What a receiver says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromReceiver {
    /// Let it come.
    Accept,
    /// It wants this file.
    Take {
        /// Its number.
        n: u64,
        /// How many bytes of it are there already.
        from: u64,
        /// The chain over them; `None` for none.
        hash: Option<Digest>,
    },
    /// It does not.
    Skip {
        /// Its number.
        n: u64,
    },
    /// So much was taken in.
    Got {
        /// On this channel, in all.
        bytes: u64,
    },
    /// A file is whole and where it belongs.
    Kept {
        /// Its number.
        n: u64,
    },
    /// So it was.
    Done,
    /// It ends here.
    No(Reason),
}

impl FromSender {
    /// Reads a message; `None` for one whose type is not known.
    pub fn read(json: &str) -> Result<Option<Self>, Unreadable> {
        let fields = Fields::read(json)?;
        Ok(Some(match fields.text("type")? {
            "offer" => {
                let (name, files, bytes) = (fields.text("name")?, fields.number("files")?, fields.number("bytes")?);
                if fields.number("v")? != 1 || name.chars().count() > NAME_MAX {
                    return Err(Unreadable(Reason::Broken));
                }
                Self::Offer(Offer { name: name.to_owned(), files, bytes })
            }
            "folder" => Self::Folder { n: fields.number("n")?, path: fields.path()? },
            "file" => Self::File {
                n: fields.number("n")?,
                size: fields.number("size")?,
                modified: fields.optional("modified").then(|| fields.number("modified")).transpose()?,
                executable: fields.optional("executable") && fields.truth("executable")?,
                path: fields.path()?,
            },
            "bytes" => Self::Bytes { n: fields.number("n")?, from: fields.number("from")? },
            "end" => Self::End { n: fields.number("n")?, hash: fields.hash()? },
            "done" => Self::Done,
            "no" => Self::No(Reason::read(fields.text("reason")?)),
            _ => return Ok(None),
        }))
    }

    /// As it crosses.
    pub fn write(&self) -> String {
        match self {
            Self::Offer(Offer { name, files, bytes }) => {
                json!({"type": "offer", "v": 1, "name": name, "files": files, "bytes": bytes})
            }
            Self::Folder { n, path } => json!({"type": "folder", "n": n, "path": path.as_str()}),
            Self::File { n, path, size, modified, executable } => {
                let mut file = json!({"type": "file", "n": n, "path": path.as_str(), "size": size});
                if let Some(modified) = modified {
                    file["modified"] = (*modified).into();
                }
                if *executable {
                    file["executable"] = true.into();
                }
                file
            }
            Self::Bytes { n, from } => json!({"type": "bytes", "n": n, "from": from}),
            Self::End { n, hash } => json!({"type": "end", "n": n, "hash": hash.to_string()}),
            Self::Done => json!({"type": "done"}),
            Self::No(reason) => json!({"type": "no", "reason": reason.as_str()}),
        }
        .to_string()
    }
}

impl FromReceiver {
    /// Reads a message; `None` for one whose type is not known.
    pub fn read(json: &str) -> Result<Option<Self>, Unreadable> {
        let fields = Fields::read(json)?;
        Ok(Some(match fields.text("type")? {
            "accept" => Self::Accept,
            "take" => {
                let (n, from) = (fields.number("n")?, fields.number("from")?);
                Self::Take { n, from, hash: (from != 0).then(|| fields.hash()).transpose()? }
            }
            "skip" => Self::Skip { n: fields.number("n")? },
            "got" => Self::Got { bytes: fields.number("bytes")? },
            "kept" => Self::Kept { n: fields.number("n")? },
            "done" => Self::Done,
            "no" => Self::No(Reason::read(fields.text("reason")?)),
            _ => return Ok(None),
        }))
    }

    /// As it crosses.
    pub fn write(&self) -> String {
        match self {
            Self::Accept => json!({"type": "accept"}),
            Self::Take { n, from, hash: None } => json!({"type": "take", "n": n, "from": from}),
            Self::Take { n, from, hash: Some(hash) } => {
                json!({"type": "take", "n": n, "from": from, "hash": hash.to_string()})
            }
            Self::Skip { n } => json!({"type": "skip", "n": n}),
            Self::Got { bytes } => json!({"type": "got", "bytes": bytes}),
            Self::Kept { n } => json!({"type": "kept", "n": n}),
            Self::Done => json!({"type": "done"}),
            Self::No(reason) => json!({"type": "no", "reason": reason.as_str()}),
        }
        .to_string()
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn read(json: &str) -> Result<Self, Unreadable> {
        match serde_json::from_str(json) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Unreadable(Reason::Broken)),
        }
    }

    fn optional(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Result<&str, Unreadable> {
        self.0.get(name).and_then(Value::as_str).ok_or(Unreadable(Reason::Broken))
    }

    fn truth(&self, name: &str) -> Result<bool, Unreadable> {
        self.0.get(name).and_then(Value::as_bool).ok_or(Unreadable(Reason::Broken))
    }

    /// A whole number, however it is spelled.
    fn number(&self, name: &str) -> Result<u64, Unreadable> {
        let number = self
            .0
            .get(name)
            .and_then(Value::as_f64)
            .filter(|number| number.fract() == 0.0 && (0.0..NUMBER_MAX).contains(number));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and between 0 and 2⁵³")]
        number.map(|number| number as u64).ok_or(Unreadable(Reason::Broken))
    }

    fn hash(&self) -> Result<Digest, Unreadable> {
        self.text("hash")?.parse().map_err(|()| Unreadable(Reason::Broken))
    }

    fn path(&self) -> Result<FilePath, Unreadable> {
        FilePath::new(self.text("path")?).map_err(|_| Unreadable(Reason::BadPath))
    }
}
