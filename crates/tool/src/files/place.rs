//! Where two sides of a transfer meet, as people name it: a code of words, a room, a link of the server's page, its join code.

use anyhow::{anyhow, bail};
use wigwag::files::WordCode;

/// The title of the secret room to which a code of words leads.
pub(super) const TITLE: &str = "files";

/// What the page calls its rooms, before what stands in their links.
const PAGE: &str = "demo-";
const PAGE_LETTERS: usize = 16;

/// A join code has so many characters, beside hyphens.
const JOIN_CODE: usize = 8;

/// Where they meet.
#[derive(Debug)]
pub(super) enum Place {
    Words(WordCode),
    Room(String),
    JoinCode(String),
}

/// What stands behind the files of `send`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Peer(String),
    Room(String),
}

/// What a receiver was told to type.
pub(super) fn read(typed: &[String]) -> anyhow::Result<Place> {
    let typed = typed.join(" ");
    if let Some(room) = linked(&typed) {
        return Ok(Place::Room(room));
    }
    let plain: String = typed.chars().filter(|char| !matches!(char, '-' | ' ')).collect();
    if plain.len() == JOIN_CODE && plain.chars().any(|char| char.is_ascii_digit()) {
        return Ok(Place::JoinCode(typed));
    }
    Ok(Place::Words(words(&typed)?))
}

/// A code of words.
pub(super) fn words(typed: &str) -> anyhow::Result<WordCode> {
    WordCode::read(typed).map_err(|why| anyhow!("{why}"))
}

/// Whom the last argument of `send` names, that is no file.
pub(super) fn whom(text: &str) -> anyhow::Result<Whom> {
    if let Some(room) = linked(text) {
        return Ok(Whom::Room(room));
    }
    let is_key = text.len() == 32 && text.chars().all(is_letter);
    if is_key || text.contains('@') || text.starts_with('~') {
        return Ok(Whom::Peer(text.to_owned()));
    }
    if text.contains(['.', '/', '\\']) {
        bail!("there is no file {text}; a room of that name would be --room {text}");
    }
    Ok(Whom::Room(text.to_owned()))
}

/// The room to which a link of the server's page leads.
fn linked(link: &str) -> Option<String> {
    let (page, id) = link.split_once('#')?;
    let is_it = page.contains("://") && id.len() == PAGE_LETTERS && id.chars().all(is_letter);
    is_it.then(|| format!("{PAGE}{id}"))
}

/// Base32 in lower case, as ids and the page's rooms have it.
fn is_letter(char: char) -> bool {
    matches!(char, 'a'..='z' | '2'..='7')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_told_apart() {
        let peer = |id: &str| Some(Whom::Peer(id.to_owned()));
        let room = |name: &str| Some(Whom::Room(name.to_owned()));
        for (text, meant) in [
            ("bob@example.org", peer("bob@example.org")),
            ("rffvhxubqhzajsdz4b4hbxydojgpe645", peer("rffvhxubqhzajsdz4b4hbxydojgpe645")),
            ("~abc", peer("~abc")),
            ("movie-night", room("movie-night")),
            ("https://wigwag.example.org/#abcdefgh234567ab", room("demo-abcdefgh234567ab")),
            ("photo.jpgg", None),
            ("no/such", None),
        ] {
            assert_eq!(whom(text).ok(), meant, "{text}");
        }
        let typed = |text: &str| read(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(matches!(typed("K7PM-3XTD"), Ok(Place::JoinCode(_))));
        assert!(matches!(typed("http://localhost:8080/#abcdefgh234567ab"), Ok(Place::Room(_))));
        let code = wigwag::files::words()[..4].join(" ");
        assert!(matches!(typed(&code), Ok(Place::Words(_))));
        let mistyped = code.replacen(wigwag::files::words()[0], "abilitty", 1);
        assert!(typed(&mistyped).is_err_and(|why| why.to_string().contains("did you mean ability?")));
    }
}
