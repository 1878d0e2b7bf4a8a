//! What a peer does about a code of `spec/codes.md` or of WebSocket itself: the range decides, and nothing else.

use std::borrow::Cow;

use wigwag_wire::Code;

/// What to do after a socket closed, or after a hello was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Connect again, with back-off.
    Retry,
    /// The same, slower.
    Slow,
    /// Not with the same proof.
    Prove,
    /// Not by itself.
    Stop,
    /// A fault of this program: come back, and say so where a developer sees it.
    Mend,
}

impl Advice {
    /// About a close code; 0 stands for none.
    pub fn about(code: u16) -> Self {
        match code {
            1000 | 4300..4400 => Self::Stop,
            1002 | 1003 | 1007 | 1009 | 4400..4500 => Self::Mend,
            4100..4200 => Self::Slow,
            4200..4300 => Self::Prove,
            _ => Self::Retry,
        }
    }
}

/// Where a socket's loss has no better name.
pub const LOST: &str = "lost";

/// A code's name, for people: what the close frame said, if it said something.
pub fn code_name(code: u16, reason: &str) -> Cow<'static, str> {
    match Code::from_number(code) {
        _ if !reason.is_empty() => reason.to_owned().into(),
        Some(known) => known.name().into(),
        None if matches!(code, 0 | 1006) => LOST.into(),
        None if code == 1000 => "ended".into(),
        None => format!("code {code}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_codes_has_its_advice() {
        use wigwag_wire::Class;
        for code in Code::ALL {
            let expected = match code.class() {
                Class::ComeBack | Class::Server => Advice::Retry,
                Class::Wait => Advice::Slow,
                Class::Prove => Advice::Prove,
                Class::Stop => Advice::Stop,
                Class::Mend => Advice::Mend,
            };
            assert_eq!(Advice::about(code.number()), expected, "{code}");
        }
        for (code, expected) in [(0, Advice::Retry), (1000, Advice::Stop), (1001, Advice::Retry), (1006, Advice::Retry)]
        {
            assert_eq!(Advice::about(code), expected, "{code}");
        }
    }

    #[test]
    fn a_reason_goes_before_a_name() {
        assert_eq!(code_name(4300, "elsewhere"), "elsewhere");
        assert_eq!(code_name(4300, ""), "superseded");
        assert_eq!(code_name(0, ""), "lost");
        assert_eq!(code_name(1012, ""), "code 1012");
    }
}
