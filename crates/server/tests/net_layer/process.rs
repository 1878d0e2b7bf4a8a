//! What only a process of its own can show: a socket handed down by systemd, and no descriptors
//! left. The child is this very test program, which becomes a server when its parent asks for it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use wigwag_server::net::Listener;

use crate::client::{Client, soon, text};
use crate::server::Server;

#[tokio::test]
async fn a_socket_opened_by_the_service_manager_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut command = becoming("a_socket_opened_by_the_service_manager_is_served", "inherited");
    if let Some(()) = as_child("inherited", || Listener::inherited().unwrap().remove(0)).await {
        return;
    }
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", "0").stdin(Stdio::from(OwnedFd::from(socket)));
    let child = Running::start(&mut command);
    assert_eq!(child.address, address);
    let mut client = Client::open(address).await;
    client.say("hello").await;
    assert_eq!(client.next().await, text("hello"));
}

#[tokio::test]
async fn running_out_of_descriptors_is_survived() {
    let name = "running_out_of_descriptors_is_survived";
    if let Some(()) = as_child(name, || Listener::tcp(([127, 0, 0, 1], 0).into()).unwrap()).await {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\" --exact --nocapture \"$1\""]).arg(program);
    command.arg(format!("process::{name}")).env(CHILD, name);
    let child = Running::start(&mut command);
    let mut first = Client::open(child.address).await;
    // The kernel completes connections that the server cannot accept.
    let mut many = Vec::new();
    for _ in 0..60 {
        many.push(Client::connect(child.address).await);
    }
    first.say("unharmed").await;
    assert_eq!(first.next().await, text("unharmed"));
    drop(many);
    let mut last = soon("a socket once there are descriptors again", Client::open(child.address)).await;
    last.say("hello").await;
    assert_eq!(last.next().await, text("hello"));
}

const CHILD: &str = "WIGWAG_TEST_CHILD";

/// This program again, running only one test.
fn becoming(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("process::{test}")]).env(CHILD, role);
    command
}

/// Serves for good if this process is the child in that role.
async fn as_child(role: &str, listener: impl FnOnce() -> Listener) -> Option<()> {
    if std::env::var(CHILD).ok()? != role {
        return None;
    }
    let mut server = Server::start();
    let listener = listener();
    eprintln!("{PREFIX}{}", listener.local_addr().unwrap());
    tokio::spawn(listener.run(Arc::clone(&server.door), server.stop.subscribe()));
    loop {
        // Its parent ends it; without one it ends at its own deadline.
        server.next().await;
    }
}

const PREFIX: &str = "listening on ";

/// A child that is ended with the test.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix(PREFIX).map(|a| a.parse().unwrap()));
        let address = address.expect("the child ended before it listened");
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
