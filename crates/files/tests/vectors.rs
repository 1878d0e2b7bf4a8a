//! `spec/vectors/files.json`, word for word.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use serde_json::Value;
use wigwag_files::{BadCode, Chain, FilePath, FromReceiver, FromSender, Reason, Unreadable, WordCode, words};
use wigwag_testkit::spec::vectors;

#[derive(Deserialize)]
struct Vectors {
    chains: Vec<ChainCase>,
    paths: Paths,
    codes: Vec<CodeCase>,
    bad_codes: Vec<BadCase>,
    messages: Messages,
}

#[derive(Deserialize)]
struct ChainCase {
    size: usize,
    hash: String,
}

#[derive(Deserialize)]
struct Paths {
    good: Vec<String>,
    bad: Vec<String>,
}

#[derive(Deserialize)]
struct CodeCase {
    typed: String,
    code: String,
    secret: String,
}

#[derive(Deserialize)]
struct BadCase {
    typed: String,
    word: Option<String>,
}

#[derive(Deserialize)]
struct Messages {
    sender: Said,
    receiver: Said,
}

#[derive(Deserialize)]
struct Said {
    good: Vec<Value>,
    unknown: Vec<Value>,
    bad: Vec<Value>,
    #[serde(default)]
    bad_path: Vec<Value>,
}

#[test]
fn a_chain_is_what_the_page_says() {
    for ChainCase { size, hash } in read().chains {
        let content: Vec<u8> = (0..size).map(|i| u8::try_from((i * i / 7 + i) % 251).unwrap()).collect();
        let mut chain = Chain::default();
        content.chunks(65_536).for_each(|piece| chain.add(piece));
        assert_eq!((chain.digest().to_string(), chain.bytes()), (hash, size as u64));
    }
}

#[test]
fn paths_that_may_cross_are_told_from_those_that_may_not() {
    let Paths { good, bad } = read().paths;
    for path in good {
        assert_eq!(FilePath::new(path.clone()).map(|path| path.as_str().to_owned()), Ok(path));
    }
    for path in bad {
        assert!(FilePath::new(path.clone()).is_err(), "{path:?}");
    }
}

#[test]
fn a_code_is_read_as_people_type_it_and_leads_to_one_secret() {
    assert_eq!(words().len(), 2048);
    for CodeCase { typed, code, secret } in read().codes {
        let read = WordCode::read(&typed).unwrap();
        assert_eq!((read.as_str(), read.secret()), (code.as_str(), secret));
    }
    for BadCase { typed, word } in read().bad_codes {
        match (WordCode::read(&typed), word) {
            (Err(BadCode::Few), None) => {}
            (Err(BadCode::Word { word, .. }), Some(expected)) => assert_eq!(word, expected),
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn messages_are_read_passed_over_or_refused() {
    let Messages { sender, receiver } = read().messages;
    check(sender, |json| FromSender::read(json).map(|said| said.map(|said| said.write())));
    check(receiver, |json| FromReceiver::read(json).map(|said| said.map(|said| said.write())));
}

fn check(said: Said, read: impl Fn(&str) -> Result<Option<String>, Unreadable>) {
    for message in said.good {
        let written = read(&message.to_string()).unwrap().unwrap();
        assert_eq!(read(&written), Ok(Some(written.clone())), "{message} is written as it is read");
    }
    for message in said.unknown {
        assert_eq!(read(&message.to_string()), Ok(None), "{message}");
    }
    for message in said.bad {
        assert_eq!(read(&message.to_string()), Err(Unreadable(Reason::Broken)), "{message}");
    }
    for message in said.bad_path {
        assert_eq!(read(&message.to_string()), Err(Unreadable(Reason::BadPath)), "{message}");
    }
}

fn read() -> Vectors {
    vectors("files.json")
}
