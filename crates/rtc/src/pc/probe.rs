//! One question to a STUN server: what address do you see me under?

use std::net::SocketAddr;
use std::time::Duration;

use turn_client_proto::stun::Instant;
use turn_client_proto::stun::agent::{StunAgent, StunAgentPollRet};
use turn_client_proto::stun::types::TransportType;
use turn_client_proto::stun::types::attribute::XorMappedAddress;
use turn_client_proto::stun::types::message::{BINDING, Message, MessageClass, MessageWrite as _, MessageWriteVec};

use super::{Output, quietly};

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(2);
const TIMES: u32 = 5;
const LAST: Duration = Duration::from_secs(1);

pub(super) struct Probe {
    agent: StunAgent,
    local: SocketAddr,
    server: SocketAddr,
    first: Option<Vec<u8>>,
    over: bool,
}

impl Probe {
    /// None if the library refuses to write the question.
    pub(super) fn new(local: SocketAddr, server: SocketAddr, now: Instant) -> Option<Self> {
        quietly(|| {
            let mut agent = StunAgent::builder(TransportType::Udp, local)
                .remote_addr(server)
                .request_retransmits(FIRST, MOST, TIMES, LAST)
                .build();
            let question = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
            let first = agent.send_request(question, server, now).ok()?.data.to_vec();
            Some(Self { agent, local, server, first: Some(first), over: false })
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn is(&self, local: SocketAddr, server: SocketAddr) -> bool {
        self.local == local && self.server == server
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The address in it, if this is the answer.
    pub(super) fn answer(&mut self, data: &[u8], now: Instant) -> Option<SocketAddr> {
        quietly(|| {
            let message = Message::from_bytes(data).ok()?;
            if !message.is_response() || !self.agent.handle_stun_message_with_time(&message, self.server, now) {
                return None;
            }
            self.over = true;
            if !message.has_class(MessageClass::Success) {
                return None;
            }
            let mapped = message.attribute::<XorMappedAddress>().ok()?;
            Some(mapped.addr(message.transaction_id()))
        })
    }

    pub(super) fn poll(&mut self, now: Instant, outputs: &mut impl Extend<Output>) -> Instant {
        let (from, to) = (self.local, self.server);
        outputs.extend(self.first.take().map(|data| Output::Datagram { from, to, data }));
        quietly(|| {
            let next = match self.agent.poll(now) {
                StunAgentPollRet::WaitUntil(until) => until,
                StunAgentPollRet::TransactionTimedOut(_) | StunAgentPollRet::TransactionCancelled(_) => {
                    self.over = true;
                    now
                }
            };
            while let Some(transmit) = self.agent.poll_transmit(now) {
                outputs.extend([Output::Datagram { from, to, data: transmit.data.to_vec() }]);
            }
            next
        })
    }
}
