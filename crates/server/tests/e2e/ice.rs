//! What peers are told of TURN servers, tried at a real one.

use crate::support::{Peer, Turn, Wigwag, skip};

#[tokio::test]
async fn a_real_turn_server_takes_the_credentials_of_a_welcome_and_no_others() {
    let Some(turn) = Turn::start("the shared secret").await else {
        return skip("a_real_turn_server_takes_the_credentials_of_a_welcome_and_no_others", "coturn is not installed");
    };
    for (secret, accepted) in [("the shared secret", true), ("another secret", false)] {
        let server = Wigwag::new()
            .set("ice.turn", format_args!("turn:127.0.0.1:{}", turn.port))
            .set("ice.secret", secret)
            .start()
            .await;
        let peer = Peer::guest(server.address).await;
        let given = peer.welcome["ice"].as_array().unwrap().iter().find(|ice| ice["username"].is_string()).unwrap();
        assert_eq!(given["urls"][0], format!("turn:127.0.0.1:{}", turn.port));
        let (user, credential) = (given["username"].as_str().unwrap(), given["credential"].as_str().unwrap());
        let expiry: u64 = user.split(':').next().unwrap().parse().unwrap();
        assert_eq!(peer.welcome["ice_expires"].as_u64().unwrap() / 1000, expiry);
        assert!(!user.contains(peer.id()), "the TURN server's log would hold the id");
        let (took, said) = turn.allocates(user, credential);
        assert_eq!(took, accepted, "{said}");
    }
}
