//! Watch parties through a restart of the real server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Foreign, Wigwag};

#[tokio::test]
async fn the_host_of_a_watch_party_is_host_again_after_a_restart_though_another_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Wigwag::new().data(folder.path()).set("server.drain_seconds", 0).start();
    let server = start().await;
    let mut ann = user(server.address, "CREATE_ROOM", "ann").await;
    assert_eq!(ann.message().await["type"], "ROOM_CREATED");
    let mut bob = user(server.address, "JOIN_ROOM", "bob").await;
    assert_eq!(bob.message().await["type"], "ROOM_JOINED");
    let (stopped, ..) = tokio::join!(server.stop(), ann.end(), bob.end());
    assert!(stopped.success());

    let server = start().await;
    let mut bob = user(server.address, "JOIN_ROOM", "bob").await;
    assert_eq!(bob.message().await["roomState"]["hostId"], "bob");
    let mut ann = user(server.address, "JOIN_ROOM", "ann").await;
    assert_eq!(ann.message().await["roomState"]["users"][1]["id"], "ann");
    assert_eq!(bob.message().await["type"], "USER_JOINED");
    for socket in [&mut ann, &mut bob] {
        let told = socket.message().await;
        let hosts = (&told["type"], &told["newHostId"], &told["previousHostId"]);
        assert_eq!(hosts, (&json!("HOST_CHANGED"), &json!("ann"), &json!("bob")));
    }
    let info = server.get("/room/den/info").await.json();
    assert_eq!((&info["hostId"], &info["name"]), (&json!("ann"), &Value::from("Movies")));
}

async fn user(to: SocketAddr, kind: &str, id: &str) -> Foreign {
    let mut socket = Foreign::open(to, "/room/den").await;
    let message = json!({"type": kind, "roomId": "den", "userId": id, "userName": id, "roomName": "Movies"});
    socket.say(&message.to_string()).await;
    socket
}
