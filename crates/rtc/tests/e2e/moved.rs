//! The network becomes another one without a word: what the STUN server sees of us changes, and nothing else.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use crate::support::{End, connect, exchange, soon};
use wigwag_rtc::{Event, IceServer, Settings};

#[tokio::test]
async fn both_who_asks_for_another_path_and_who_answers_look_anew_where_they_can_be_reached() {
    let stun = Stun::start();
    let (mut ann, mut bob) = (stun.asker().await, stun.asker().await);
    connect(&mut ann, &mut bob).await;
    for at in [1, 2] {
        stun.sees([192, 0, 2, at]);
        let offer = ann.connection.offer(true).await.unwrap();
        let answer = bob.connection.describe(offer).await.unwrap().unwrap();
        ann.connection.describe(answer).await.unwrap();
        for end in [&mut ann, &mut bob] {
            until_reached_at(end, [192, 0, 2, at]).await;
        }
        exchange(&ann, &bob).await;
        (ann, bob) = (bob, ann);
    }
}

/// Waits until the end tells of this address.
async fn until_reached_at(end: &mut End, address: [u8; 4]) {
    let address = format!(" {} ", Ipv4Addr::from(address));
    loop {
        match soon(end.events.next()).await.unwrap() {
            Event::Candidate(candidate) if candidate.candidate.contains(&address) => return,
            Event::Closed(reason) => panic!("{reason:?}"),
            _ => {}
        }
    }
}

/// A STUN server that says what it is told to.
struct Stun {
    server: SocketAddr,
    sees: Arc<Mutex<[u8; 4]>>,
}

impl Stun {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (server, sees) = (socket.local_addr().unwrap(), Arc::new(Mutex::new([192, 0, 2, 200])));
        let told = Arc::clone(&sees);
        // It ends with the process.
        std::thread::spawn(move || {
            let mut question = [0; 1500];
            while let Ok((size, from)) = socket.recv_from(&mut question) {
                if size >= 20 && question[..2] == [0, 1] {
                    let _ = socket.send_to(&answer(&question[4..20], *told.lock().unwrap(), from.port()), from);
                }
            }
        });
        Self { server, sees }
    }

    fn sees(&self, address: [u8; 4]) {
        *self.sees.lock().unwrap() = address;
    }

    /// One end that asks it, and knows the answer.
    async fn asker(&self) -> End {
        let servers = vec![IceServer { urls: vec![format!("stun:{}", self.server)], ..IceServer::default() }];
        let mut end = End::new(Settings { ice_servers: servers, ..Settings::default() }).await;
        end.until_gathered().await;
        end
    }
}

/// A success: XOR-MAPPED-ADDRESS, which is masked by what the question begins with after its length.
fn answer(mask: &[u8], address: [u8; 4], port: u16) -> Vec<u8> {
    let mut answer = vec![1, 1, 0, 12];
    answer.extend(mask);
    answer.extend([0, 0x20, 0, 8, 0, 1]);
    answer.extend(
        port.to_be_bytes().into_iter().chain(address).zip([0, 1, 0, 1, 2, 3]).map(|(byte, at)| byte ^ mask[at]),
    );
    answer
}
