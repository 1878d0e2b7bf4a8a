//! The JSON envelope: any text is read or refused with a code and a message, the same however it is laid out.

use std::mem::discriminant;

use serde_json::Value;
use wigwag_wire::event::ErrorEvent;
use wigwag_wire::{Code, Event, Limits, Request};

pub(crate) fn run(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut limits = Limits::default();
    let open = choice % 2 == 1;
    if open {
        for (key, _) in Limits::default().values() {
            limits.set(key, 0);
        }
    }
    match Request::parse(text, &limits) {
        Ok((heading, request)) => {
            // The JSON library's own reader must see an object, too: duplicates and trailing bytes would pass by us.
            let tree: Value = match serde_json::from_str(text) {
                Ok(tree) => tree,
                // It also minds what stands inside what is only passed on, and what no tree can hold.
                Err(error) => {
                    let error = error.to_string();
                    let minds = ["number out of range", "recursion limit", "surrogate", "hex escape"];
                    assert!(minds.iter().any(|what| error.contains(what)), "{error}");
                    return;
                }
            };
            assert_eq!(tree.get("n").and_then(Value::as_u64), heading.n);
            assert_eq!(tree.get("seen").and_then(Value::as_u64), heading.seen);
            // Other spaces, escapes and order mean the same. With limits, a number may be written longer than allowed.
            if open {
                let again = tree.to_string();
                let (heading_again, request_again) = Request::parse(&again, &limits)
                    .unwrap_or_else(|unread| panic!("{again} is refused: {:?}", unread.refusal));
                assert_eq!((heading, discriminant(&request)), (heading_again, discriminant(&request_again)));
            }
        }
        Err(unread) => {
            let refusal = &unread.refusal;
            assert!(!refusal.message.is_empty());
            assert!(!(open && refusal.code == Code::TooLarge), "no limit, and yet {refusal}");
            let answer = serde_json::to_value(Event::Error(ErrorEvent::new(unread.re, refusal))).unwrap();
            assert_eq!(answer["type"], "error");
            assert_eq!(answer["code"], refusal.code.number());
            assert_eq!(answer.get("re").and_then(Value::as_u64), unread.re);
        }
    }
}
