//! From the operator's configuration to the hub's rules.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use wigwag_hub::{IceRules, RoomRules, Rules};
use wigwag_wire::Namespace;
use wigwag_wire::event::IceServer;

use crate::config::Config;

/// The rules of a hub that this configuration asks for.
pub fn rules(config: &Config) -> Rules {
    let namespaces: BTreeSet<Namespace> = config.auth.namespaces.iter().cloned().collect();
    let short = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Rules {
        server: config.server.name.clone(),
        limits: config.limits.clone(),
        guests: config.auth.guests,
        namespaces: (!namespaces.is_empty()).then_some(namespaces),
        default_namespace: config.auth.default_namespace.clone(),
        away_after_ms: config.presence.away_after_ms,
        gone_after_ms: config.presence.gone_after_ms,
        rooms: RoomRules {
            capacity: short(config.rooms.capacity),
            linger_seconds: short(config.rooms.linger_seconds),
            linger_seconds_max: short(config.rooms.linger_seconds_max),
            code_seconds: short(config.rooms.code_seconds),
            listing: config.rooms.listing,
        },
        ice: ice(config),
        gather_ms: config.networks.gather_ms,
        limit_loopback: config.server.limit_loopback,
        p256,
        ..Rules::default()
    }
}

fn ice(config: &Config) -> IceRules {
    let ice = &config.ice;
    let mut servers = Vec::new();
    if !ice.stun.is_empty() {
        servers.push(IceServer { urls: ice.stun.clone(), username: None, credential: None });
    }
    let secret = ice.secret.reveal().unwrap_or_default();
    if secret.is_empty() && !ice.turn.is_empty() {
        let username = (!ice.username.is_empty()).then(|| ice.username.clone());
        let credential = ice.credential.reveal().map(str::to_owned);
        servers.push(IceServer { urls: ice.turn.clone(), username, credential });
    }
    IceRules {
        servers,
        turn_urls: if secret.is_empty() { Vec::new() } else { ice.turn.clone() },
        turn_secret: secret.to_owned(),
        turn_seconds: ice.ttl_seconds,
    }
}

fn p256(key: &[u8; 33], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature).is_ok()
}
