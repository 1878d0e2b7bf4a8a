//! The pages and vectors of `spec/`, from the source tree.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::transcript::Transcript;

/// A page of `spec/`.
pub fn page(name: &str) -> String {
    read(&folder().join(name))
}

/// A file of `spec/vectors/`.
pub fn vectors<T: DeserializeOwned>(name: &str) -> T {
    parse(&folder().join("vectors").join(name))
}

/// Every transcript with its name, by name.
pub fn transcripts() -> Vec<(String, Transcript)> {
    let folder = folder().join("vectors/transcripts");
    let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), parse(path))).collect()
}

/// The JSON examples of a page, each with the name of the message whose section it stands in: the sections below the heading
/// `## chapter` whose own heading is a name in code type.
pub fn examples(page: &str, chapter: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let (mut in_chapter, mut message, mut block) = (false, None, None::<String>);
    for line in page.lines() {
        match &mut block {
            Some(text) if line == "```" => {
                examples.extend(message.clone().map(|name| (name, std::mem::take(text))));
                block = None;
            }
            Some(text) => text.push_str(line),
            None => {
                if let Some(title) = line.strip_prefix("## ") {
                    (in_chapter, message) = (title == chapter, None);
                } else if let Some(title) = line.strip_prefix("### ") {
                    let name = title.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
                    message = name.filter(|_| in_chapter).map(str::to_owned);
                } else if line == "```json" && message.is_some() {
                    block = Some(String::new());
                }
            }
        }
    }
    examples
}

/// The rows of the first table after a line, each cell trimmed; the head is left out.
pub fn table_after(page: &str, line: &str) -> Vec<Vec<String>> {
    let rows = page.lines().skip_while(|l| *l != line).skip_while(|l| !l.starts_with('|'));
    rows.take_while(|l| l.starts_with('|'))
        .skip(2)
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// A frame of a vector: `text` as it stands, or `frame` written out.
pub fn frame_text(case: &Value) -> String {
    match case["text"].as_str() {
        Some(text) => text.to_owned(),
        None => case["frame"].to_string(),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn parse<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&read(path)).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}
