//! Which ICE servers a party is given. TURN credentials follow the REST convention: the name says until when it is good, and the
//! password is proof that whoever shares the secret with the TURN server has said so.

use data_encoding::{BASE32_NOPAD, BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use wigwag_wire::event::IceServer;

use crate::ids::Party;
use crate::rules::IceRules;
use crate::time::Wall;

/// A credential lives at least so many seconds: renewing it more often would serve nobody.
const SHORTEST_SECONDS: u64 = 60;
/// A fresh credential is handed out at least so long before the last one expires.
const AHEAD_SECONDS: u64 = 30;

/// What a party is given, and until when it is good.
#[derive(Default)]
pub(crate) struct Grant {
    pub(crate) servers: Vec<IceServer>,
    pub(crate) expires: Option<Wall>,
}

/// The servers for a party.
pub(crate) fn grant(rules: &IceRules, to: &Party, now: Wall) -> Grant {
    let mut servers = rules.servers.clone();
    if !makes_credentials(rules) {
        return Grant { servers, expires: None };
    }
    let expires = now.0 / 1_000 + seconds(rules);
    let username = format!("{expires}:{}", pseudonym(&rules.turn_secret, to));
    let credential = credential(&rules.turn_secret, &username);
    servers.push(IceServer { urls: rules.turn_urls.clone(), username: Some(username), credential: Some(credential) });
    Grant { servers, expires: Some(Wall(expires * 1_000)) }
}

/// After how many milliseconds a grant should be made anew.
pub(crate) fn refresh_after_ms(rules: &IceRules) -> Option<u64> {
    let seconds = seconds(rules);
    makes_credentials(rules).then(|| (seconds / 4 * 3).min(seconds - AHEAD_SECONDS) * 1_000)
}

fn makes_credentials(rules: &IceRules) -> bool {
    !rules.turn_urls.is_empty() && !rules.turn_secret.is_empty()
}

fn seconds(rules: &IceRules) -> u64 {
    rules.turn_seconds.max(SHORTEST_SECONDS)
}

/// Tells one party from another in the TURN server's log without naming it.
fn pseudonym(secret: &str, party: &Party) -> String {
    let mut mac = keyed::<Hmac<Sha256>>(secret);
    mac.update(party.ns.as_str().as_bytes());
    mac.update(b"\n");
    mac.update(party.id.as_str().as_bytes());
    BASE32_NOPAD.encode(&mac.finalize().into_bytes()[..10]).to_ascii_lowercase()
}

fn credential(secret: &str, username: &str) -> String {
    let mut mac = keyed::<Hmac<Sha1>>(secret);
    mac.update(username.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

fn keyed<M: KeyInit>(secret: &str) -> M {
    M::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wigwag_wire::{Device, Namespace, PeerId};

    use super::*;
    use crate::ids::{DialectId, SessionId};

    #[test]
    fn a_credential_is_what_a_turn_server_computes_from_the_shared_secret() {
        let rules = IceRules { servers: vec![stun()], ..rules() };
        let grant = grant(&rules, &party("alice@example.org"), Wall(1_795_000_000_999));
        // Computed apart from this program, with another language's library.
        let turn = IceServer {
            urls: vec!["turn:turn.example.org:3478".into(), "turns:turn.example.org:5349".into()],
            username: Some("1795003600:7skr5ojryu525l3u".into()),
            credential: Some("uVLFHHT3xCgWdM/bGB2T9fATNYE=".into()),
        };
        assert_eq!(grant.servers, [stun(), turn]);
        assert_eq!(grant.expires, Some(Wall(1_795_003_600_000)));
        assert_eq!(refresh_after_ms(&rules), Some(2_700_000));
    }

    #[test]
    fn two_parties_have_two_names_and_neither_is_its_id() {
        let name = |id| grant(&rules(), &party(id), Wall(0)).servers[0].username.clone().unwrap();
        assert_ne!(name("alice@example.org"), name("bob@example.org"));
        assert!(!name("alice@example.org").contains("alice"));
    }

    #[test]
    fn without_turn_there_is_nothing_that_expires() {
        for rules in [
            IceRules { servers: vec![stun()], ..IceRules::default() },
            IceRules { servers: vec![stun()], turn_secret: String::new(), ..rules() },
        ] {
            let grant = grant(&rules, &party("alice@example.org"), Wall(5));
            assert_eq!((grant.servers, grant.expires), (vec![stun()], None));
            assert_eq!(refresh_after_ms(&rules), None);
        }
    }

    #[test]
    fn credentials_are_renewed_at_three_quarters_of_their_life_and_half_a_minute_before_its_end_at_the_latest() {
        for (life, renewed) in [(0, 30), (1, 30), (60, 30), (100, 70), (120, 90), (121, 90), (86_400, 64_800)] {
            let rules = IceRules { turn_seconds: life, ..rules() };
            assert_eq!(refresh_after_ms(&rules), Some(renewed * 1_000), "{life}");
            let expires = grant(&rules, &party("alice@example.org"), Wall(0)).expires.unwrap();
            assert!(expires.0 >= (renewed + 30) * 1_000, "{life}");
        }
    }

    fn rules() -> IceRules {
        IceRules {
            servers: Vec::new(),
            turn_urls: vec!["turn:turn.example.org:3478".into(), "turns:turn.example.org:5349".into()],
            turn_secret: "north wind and sun".into(),
            turn_seconds: 3_600,
        }
    }

    fn stun() -> IceServer {
        IceServer { urls: vec!["stun:stun.example.org:3478".into()], username: None, credential: None }
    }

    fn party(id: &str) -> Party {
        Party {
            session: SessionId(0),
            ns: Namespace::new("chess").unwrap(),
            id: PeerId::new(id).unwrap(),
            device: Device::new("").unwrap(),
            dialect: DialectId::NATIVE,
        }
    }
}
