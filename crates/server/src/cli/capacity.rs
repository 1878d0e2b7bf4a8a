//! `wigwag capacity`: what a machine must have for so many peers and messages, reckoned from what the bench measured.

use serde::Serialize;
use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::measured::Measured;
use wigwag_terminal::out::Out;

use super::args::{CapacityArgs, Speaks};

/// Tells what is needed, or prints the table of the page about capacity.
pub(super) fn run(out: &mut Out, args: &CapacityArgs) -> Result<Exit, Failure> {
    let measured = measured()?;
    if args.markdown {
        return out.bytes(markdown(&measured).as_bytes());
    }
    let need = Need::of(&measured, args);
    if args.json { out.json(&need) } else { out.bytes(need.told(&measured, args).as_bytes()) }
}

fn measured() -> Result<Measured, Failure> {
    serde_json::from_str(include_str!("capacity.json")).map_err(|why| Exit::Failed.because(why))
}

/// What a machine must have.
#[derive(Debug, Serialize, PartialEq)]
struct Need {
    server_bytes: u64,
    kernel_bytes: u64,
    /// Both, with a quarter free for what comes at once.
    memory_bytes: u64,
    /// Cores that are busy all the time.
    busy_cores: f64,
    /// Cores to have, so that half of each is free.
    cores: u64,
    descriptors: u64,
    settings: Vec<String>,
}

impl Need {
    fn of(measured: &Measured, args: &CapacityArgs) -> Self {
        let sockets = args.sockets as f64;
        let each = match args.speaks {
            Speaks::Keys => measured.keyed_bytes,
            Speaks::Guests => measured.guest_bytes,
            Speaks::Peerjs => measured.peerjs_bytes,
        };
        let tls = if args.tls { (measured.tls_bytes - measured.keyed_bytes).max(0.0) } else { 0.0 };
        let server = measured.start_bytes
            + sockets * (each + tls)
            + args.in_rooms as f64 * measured.member_bytes
            + args.away as f64 * measured.resumable_bytes;
        let kernel = sockets * measured.kernel_bytes;
        let connect = if args.tls { measured.connect_tls_us } else { measured.connect_us };
        // As if each message came alone: in bursts they cost a fraction.
        let busy_us = args.connects_per_second * connect
            + args.messages_per_second * measured.message_us
            + args.told_per_second * measured.told_us
            + args.lookups_per_second * measured.find_us;
        let busy = busy_us / 1e6;
        Self {
            server_bytes: server as u64,
            kernel_bytes: kernel as u64,
            memory_bytes: ((server + kernel) / 0.75) as u64,
            busy_cores: (busy * 1_000.0).round() / 1_000.0,
            cores: cores(busy * 2.0, measured.second_core),
            descriptors: args.sockets + OTHER_DESCRIPTORS,
            settings: settings(args),
        }
    }

    fn told(&self, measured: &Measured, args: &CapacityArgs) -> String {
        let mut text = format!(
            "For {} sockets:\n\nmemory       {} to have: the server takes {}, the kernel {}, a quarter stays free\n\
             cores        {} to have: {:.2} are busy, and no more than half of each should be\nopen files   {}\n",
            args.sockets,
            size(self.memory_bytes),
            size(self.server_bytes),
            size(self.kernel_bytes),
            self.cores,
            self.busy_cores,
            self.descriptors,
        );
        if !self.settings.is_empty() {
            text += "\nTurn these:\n";
        }
        for setting in &self.settings {
            text += &format!("  {setting}\n");
        }
        text + &format!("\nReckoned from what was measured on {}.\n", measured.machine)
    }
}

/// Files that the server has open besides sockets.
const OTHER_DESCRIPTORS: u64 = 200;

/// How many cores do so much work, where each after the first adds a little less than the first did.
fn cores(work: f64, second: f64) -> u64 {
    let added = second.clamp(0.1, 1.0);
    if work <= 1.0 { 1 } else { 1 + ((work - 1.0) / added).ceil() as u64 }
}

fn settings(args: &CapacityArgs) -> Vec<String> {
    let limits = wigwag_wire::Limits::default();
    let mut settings = Vec::new();
    if args.sockets > limits.sockets {
        settings.push(format!("limits.sockets = {}", args.sockets + args.sockets / 10));
    }
    if args.sockets + OTHER_DESCRIPTORS > 1_024 {
        settings.push(format!("LimitNOFILE={} (systemd) or ulimit -n", (args.sockets + OTHER_DESCRIPTORS) * 5 / 4));
    }
    if args.connects_per_second * limits.handshake_ms as f64 / 1_000.0 > limits.handshakes as f64 {
        let handshakes = (args.connects_per_second * limits.handshake_ms as f64 / 1_000.0) as u64;
        settings.push(format!("limits.handshakes = {handshakes}"));
    }
    settings
}

fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib >= 1_024.0 { format!("{:.1} GiB", mib / 1_024.0) } else { format!("{:.0} MiB", mib.ceil()) }
}

/// What a gibibyte and a core are good for.
fn markdown(measured: &Measured) -> String {
    let gib =
        |each: f64| thousands((f64::from(1 << 30) * 0.75 - measured.start_bytes) / (each + measured.kernel_bytes));
    let second = |us: f64| thousands(0.5e6 / us);
    let mut text = String::from("| a GiB of memory holds, a quarter of it free | sockets |\n| --- | --- |\n");
    for (what, each) in [
        ("PeerJS clients", measured.peerjs_bytes),
        ("guests", measured.guest_bytes),
        ("peers with keys", measured.keyed_bytes),
        ("peers with keys, over TLS", measured.tls_bytes),
    ] {
        text += &format!("| {what} | {} |\n", gib(each));
    }
    text += "\n| half of a core does, of one of these | per second |\n| --- | --- |\n";
    for (what, us) in [
        ("messages from peer to peer, each by itself", measured.message_us),
        ("messages in bursts, as browsers send candidates", measured.burst_message_us),
        ("call set-ups of 22 messages, each by itself", measured.message_us * 22.0),
        ("members told of what is said in a large room", measured.told_us),
        ("look-ups", measured.find_us),
        ("peers that connect and prove a key", measured.connect_us),
        ("the same, over TLS", measured.connect_tls_us),
    ] {
        text += &format!("| {what} | {} |\n", second(us));
    }
    text + &format!("\nReckoned from what was measured on {}.\n", measured.machine)
}

/// Two digits that mean something, and commas.
fn thousands(value: f64) -> String {
    let value = value.max(0.0);
    let step = 10_f64.powf((value.max(1.0).log10().floor() - 1.0).max(0.0));
    let digits = format!("{:.0}", (value / step).floor() * step);
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        capacity: CapacityArgs,
    }

    fn need(words: &[&str]) -> Need {
        let args = Cli::parse_from([&["capacity"], words].concat()).capacity;
        Need::of(&round_numbers(), &args)
    }

    #[test]
    fn memory_is_the_servers_and_the_kernels_with_a_quarter_free() {
        let plain = need(&["--sockets", "1000"]);
        assert_eq!((plain.server_bytes, plain.kernel_bytes, plain.memory_bytes), (3_000_000, 4_000_000, 9_333_333));
        let more = need(&["--sockets", "1000", "--tls", "--in-rooms", "500", "--away", "100"]);
        assert_eq!(more.server_bytes, 3_000_000 + 6_000_000 + 500 * 500 + 100 * 1_000);
        assert_eq!(need(&["--sockets", "1000", "--speaks", "peerjs"]).server_bytes, 2_000_000);
    }

    #[test]
    fn half_of_each_core_stays_free_and_a_second_core_adds_a_little_less() {
        let need = |messages: &str| need(&["--sockets", "1000", "--messages-per-second", messages]);
        assert_eq!((need("10000").busy_cores, need("10000").cores), (0.1, 1));
        assert_eq!(need("50000").cores, 1);
        assert_eq!(need("60000").cores, 2);
        assert_eq!(need("96000").cores, 3, "a second core adds nine tenths");
    }

    #[test]
    fn what_has_to_be_turned_is_named() {
        assert_eq!(need(&["--sockets", "500"]).settings, [""; 0]);
        let settings = need(&["--sockets", "200000", "--connects-per-second", "5000"]).settings;
        assert_eq!(settings.len(), 3);
        assert!(settings[0].starts_with("limits.sockets = 220000"), "{settings:?}");
        assert!(settings[2].starts_with("limits.handshakes = 50000"), "{settings:?}");
    }

    #[test]
    fn what_was_measured_can_be_read_and_is_of_a_believable_size() {
        let measured = measured().map_err(|failure| failure.why).unwrap();
        for bytes in [measured.kernel_bytes, measured.keyed_bytes, measured.peerjs_bytes, measured.tls_bytes] {
            assert!((100.0..100_000.0).contains(&bytes), "{measured:?}");
        }
        assert!(measured.message_us > measured.burst_message_us && measured.message_us < 1_000.0, "{measured:?}");
        assert_eq!(
            (thousands(1_234_567.0), thousands(999.0), thousands(7.0)),
            ("1,200,000".into(), "990".into(), "7".into())
        );
    }

    fn round_numbers() -> Measured {
        Measured {
            machine: "a table".into(),
            start_bytes: 1e6,
            kernel_bytes: 4_000.0,
            guest_bytes: 1_500.0,
            keyed_bytes: 2_000.0,
            peerjs_bytes: 1_000.0,
            tls_bytes: 8_000.0,
            resumable_bytes: 1_000.0,
            member_bytes: 500.0,
            connect_us: 100.0,
            connect_tls_us: 1_000.0,
            message_us: 10.0,
            burst_message_us: 1.0,
            told_us: 1.0,
            find_us: 5.0,
            second_core: 0.9,
        }
    }
}
