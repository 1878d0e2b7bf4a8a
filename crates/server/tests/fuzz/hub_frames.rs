//! Good frames in short, so that a script of the hub needs few bytes to go deep.

use std::str::Chars;

/// `@` and a letter take a digit of the script: `@i` an id, `@r` a room, `@m` a term, `@d` a number, `@b` yes or no.
const FRAMES: [&str; 36] = [
    r#"{"type":"find","n":#,"id":"@i"}"#,
    r#"{"type":"watch","n":#,"ids":["@i","@i"]}"#,
    r#"{"type":"unwatch","n":#,"ids":["@i"]}"#,
    r#"{"type":"signal","n":#,"to":"@i","kind":"offer","data":{"sdp":@d}}"#,
    r#"{"type":"signal","n":#,"to":"@i","kind":"note","data":"x","store":@d0}"#,
    r#"{"type":"signal","to":"@i","device":"pc","kind":"bye","data":null}"#,
    r#"{"type":"bye"}"#,
    r#"{"type":"ice","n":#}"#,
    r#"{"type":"seen","seen":@d}"#,
    r#"{"type":"room.create","n":#,"room":"@r","code":@b,"mode":"FREE_FOR_ALL","capacity":@d,"listed":true}"#,
    r#"{"type":"room.create","n":#,"code":true,"mode":"HOST_ONLY","password":"p@d","linger":@d,"me":{"a":1}}"#,
    r#"{"type":"room.create","n":#,"room":"@r","idle":@d0,"linger":@d,"meta":{"b":2}}"#,
    r#"{"type":"room.join","n":#,"room":"@r","me":1}"#,
    r#"{"type":"room.join","n":#,"room":"@r","create":true}"#,
    r#"{"type":"room.join","n":#,"code":"$c","password":"p@d"}"#,
    r#"{"type":"room.leave","n":#,"room":"@r"}"#,
    r#"{"type":"room.list","n":#,"limit":@d}"#,
    r#"{"type":"room.list","n":#,"after":"@r"}"#,
    r#"{"type":"room.set","n":#,"room":"@r","term":@m,"locked":@b,"mode":"FREE_FOR_ALL","capacity":@d}"#,
    r#"{"type":"room.set","n":#,"room":"@r","term":@m,"password":"","meta":null,"listed":@b,"idle":@d0}"#,
    r#"{"type":"room.kick","n":#,"room":"@r","term":@m,"id":"@i","reason":"r"}"#,
    r#"{"type":"room.ban","n":#,"room":"@r","term":@m,"id":"@i"}"#,
    r#"{"type":"room.unban","n":#,"room":"@r","term":@m,"id":"@i"}"#,
    r#"{"type":"room.transfer","n":#,"room":"@r","term":@m,"id":"@i"}"#,
    r#"{"type":"room.state","n":#,"room":"@r","term":@m,"state":[@d]}"#,
    r#"{"type":"room.code","n":#,"room":"@r"}"#,
    r#"{"type":"room.beat","room":"@r"}"#,
    r#"{"type":"room.me","n":#,"room":"@r","me":"@d"}"#,
    r#"{"type":"say","n":#,"room":"@r","data":@d}"#,
    r#"{"type":"say","room":"@r","to":["@i","@i"],"data":@d}"#,
    r#"{"type":"subscribe","n":#,"topics":["t@d","t@d"]}"#,
    r#"{"type":"publish","n":#,"topic":"t@d","data":1}"#,
    r#"{"type":"broadcast","n":#,"data":@d}"#,
    r#"{"type":"network.join","n":#,"network":"@r","me":{"c":@d}}"#,
    r#"{"type":"role","n":#,"network":"@r","id":"@i","roles":["a","b@d"]}"#,
    r#"{"type":"swarm.announce","n":#,"swarm":"@r","want":@d,"complete":@b}"#,
];
/// Those that only name a group.
const SHORT: [&str; 5] = ["unsubscribe", "network.leave", "beat", "swarm.leave", "swarm.count"];

/// The frame that a line's next letters and digits stand for; `term` is the last that was told.
pub(super) fn frame(script: &mut Chars<'_>, term: u64) -> String {
    let chosen = match script.next() {
        Some(c @ 'a'..='z') => c as usize - 'a' as usize,
        Some(c @ 'A'..='Z') => c as usize - 'A' as usize + 26,
        _ => 0,
    };
    let Some(template) = FRAMES.get(chosen) else {
        let digit = digit(script);
        return match SHORT[(chosen - FRAMES.len()) % SHORT.len()] {
            "unsubscribe" => format!(r#"{{"type":"unsubscribe","n":#,"topics":["t{digit}"]}}"#),
            kind => {
                let group = if kind.starts_with("swarm") { "swarm" } else { "network" };
                format!(r#"{{"type":"{kind}","n":#,"{group}":"r{}"}}"#, digit % 3)
            }
        };
    };
    let mut parts = template.split('@');
    let mut frame = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digit = digit(script);
        match part.as_bytes()[0] {
            b'i' if digit < 8 => frame.push_str(&format!("${digit}")),
            b'i' => frame.push_str(["bob@example.org", "nobody@example.org"][digit as usize - 8]),
            b'r' => frame.push_str(&format!("r{}", digit % 3)),
            b'm' => {
                let term = match digit {
                    7 => term + 1,
                    8 => 0,
                    9 => 1,
                    _ => term,
                };
                frame.push_str(&term.to_string());
            }
            b'b' => frame.push_str(if digit.is_multiple_of(2) { "false" } else { "true" }),
            _ => frame.push_str(&digit.to_string()),
        }
        frame.push_str(&part[1..]);
    }
    frame
}

fn digit(script: &mut Chars<'_>) -> u64 {
    u64::from(script.next().and_then(|c| c.to_digit(10)).unwrap_or(0))
}
