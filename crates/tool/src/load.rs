//! `wigwag load`: what a server bears. It goes nowhere but to this machine, unless it is told twice.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde::Serialize;
use wigwag_conform::live::Base;
use wigwag_load::{Crowd, Latency, Pace, Plan, Ran, Rhythm, Target, Tongue, precise_timers, raise_descriptors};
use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::{Out, Paint, Progress};

use crate::args::LoadArgs;
use crate::web;

/// Connects everybody, sets up calls, and tells how it went.
pub(crate) fn run(out: &mut Out, args: &LoadArgs) -> Result<Exit, Failure> {
    let base = web::read(&args.url)
        .ok_or_else(|| Exit::Usage.because(anyhow!("{:?} is not a URL such as \"ws://localhost:8080\"", args.url)))?;
    let target = target(&base, args)?;
    let (callers, sockets) = (args.sockets.next_multiple_of(2) as usize, (args.sockets + args.idle) as usize);
    let descriptors = raise_descriptors();
    if descriptors < sockets as u64 + SPARE {
        let why = anyhow!(
            "the system lets this process open {descriptors} files: raise `ulimit -n`, or ask for fewer sockets"
        );
        return Err(Exit::Usage.because(why));
    }
    let progress = Progress::stderr();
    let tongue = if args.guests { Tongue::Guest } else { Tongue::Keyed };
    let mut crowd = Crowd::new(target, tongue).map_err(|why| Exit::Failed.because(why))?;
    let begun = Instant::now();
    let opened = crowd.open_while(callers + args.idle as usize, AT_ONCE, |registered| {
        progress.show(&format!("{registered} of {sockets} sockets registered"));
        true
    });
    let connecting = begun.elapsed();
    progress.wipe();
    opened.map_err(|why| Exit::Unavailable.because(why))?;

    precise_timers();
    let pace = args.at_once.map_or(Pace::PerSecond(args.rate), |calls| Pace::AtOnce(calls as usize));
    let rhythm = if args.burst { Rhythm::Burst } else { Rhythm::Sparse };
    let plan =
        Plan { peers: 0..callers, rhythm, pace, calls: u64::MAX, time: args.seconds, patience: Duration::from_secs(5) };
    let mut shown = Shown::default();
    let ran = wigwag_load::run(&mut crowd, &plan, |ran, crowd| {
        progress.show(&shown.line(ran, crowd, args.seconds));
        true
    });
    progress.wipe();
    let ran = ran.map_err(|why| Exit::Failed.because(why))?;
    let report = Report::new(&base, &ran, &crowd, connecting);
    if args.json {
        out.json(&report)?
    } else {
        out.bytes(report.table().as_bytes())?
    };
    Ok(if report.is_good() { Exit::Done } else { Exit::Failed })
}

/// Files that a process has open besides its sockets.
const SPARE: u64 = 50;
/// Sockets that are being opened at the same time.
const AT_ONCE: usize = 64;

/// The server, if load may be put on it.
fn target(base: &Base, args: &LoadArgs) -> Result<Target, Failure> {
    let resolved = (base.host.as_str(), base.port).to_socket_addrs();
    let addresses: Vec<SocketAddr> =
        resolved.map_err(|why| Exit::Unavailable.because(anyhow!("{}: {why}", base.host)))?.collect();
    let is_here = !addresses.is_empty() && addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
    if !is_here {
        allowed(&base.host, args)?;
    }
    // IPv4 first: this machine has many loopback addresses there, and so ports for many sockets.
    let reachable = |address: &&SocketAddr| std::net::TcpStream::connect_timeout(address, PATIENCE).is_ok();
    let mut ordered: Vec<&SocketAddr> = addresses.iter().collect();
    ordered.sort_by_key(|address| address.is_ipv6());
    let address = ordered.into_iter().find(reachable);
    let address = address.ok_or_else(|| Exit::Unavailable.because(anyhow!("nobody listens at {base}")))?;
    let mut target = Target::plain(*address);
    target.host = if base.host.contains(':') {
        format!("[{}]:{}", base.host, base.port)
    } else {
        format!("{}:{}", base.host, base.port)
    };
    target.path.clone_from(&base.path);
    target.namespace = args.namespace.clone().unwrap_or_default();
    Ok(if base.tls { target.with_tls() } else { target })
}

const PATIENCE: Duration = Duration::from_secs(5);

fn allowed(host: &str, args: &LoadArgs) -> Result<(), Failure> {
    let why = match (args.remote, &args.i_answer_for) {
        (true, Some(named)) if named == host => return Ok(()),
        (true, Some(named)) => format!("--i-answer-for names {named:?}, and the server is {host:?}"),
        _ => format!(
            "{host} is not this machine. Load is put only on servers whose owner knows: if that is so, add --remote --i-answer-for {host}"
        ),
    };
    Err(Exit::NotAllowed.because(anyhow!(why)))
}

/// What is shown while it runs: the calls of the last moments, not of the whole time.
#[derive(Default)]
struct Shown {
    at: Option<(Duration, u64)>,
    per_second: f64,
}

impl Shown {
    fn line(&mut self, ran: &Ran, crowd: &Crowd, time: Duration) -> String {
        let (then, done) = self.at.unwrap_or_default();
        let passed = ran.took.saturating_sub(then).as_secs_f64();
        if passed > 0.5 {
            self.per_second = (ran.done - done) as f64 / passed;
            self.at = Some((ran.took, ran.done));
        }
        let lost = if crowd.lost() > 0 { format!(" · {} sockets lost", crowd.lost()) } else { String::new() };
        format!(
            "{:.0} of {:.0} s · {:.0} calls/s · p50 {:.0} µs · p99 {:.0} µs · {} failed{lost}",
            ran.took.as_secs_f64(),
            time.as_secs_f64(),
            self.per_second,
            ran.latency.us(0.5),
            ran.latency.us(0.99),
            ran.failed,
        )
    }
}

/// How it went.
#[derive(Debug, Serialize)]
struct Report {
    server: String,
    sockets: usize,
    sockets_lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_loss: Option<String>,
    connects_per_second: f64,
    seconds: f64,
    calls: u64,
    calls_failed: u64,
    calls_per_second: f64,
    messages: u64,
    messages_per_second: f64,
    message_us: Spread,
    call_us: Spread,
    /// What the server refused, by code.
    refused: Vec<(u16, u64)>,
}

#[derive(Debug, Serialize)]
struct Spread {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    longest: f64,
}

impl Report {
    fn new(base: &Base, ran: &Ran, crowd: &Crowd, connecting: Duration) -> Self {
        let per_second = |count: u64| (count as f64 / ran.took.as_secs_f64().max(1e-9) * 10.0).round() / 10.0;
        let connects = crowd.len() as f64 / connecting.as_secs_f64().max(1e-9);
        Self {
            server: base.to_string(),
            sockets: crowd.registered(),
            sockets_lost: crowd.lost(),
            first_loss: crowd.why().map(str::to_owned),
            connects_per_second: connects.round(),
            seconds: (ran.took.as_secs_f64() * 1e3).round() / 1e3,
            calls: ran.done,
            calls_failed: ran.failed,
            calls_per_second: per_second(ran.done),
            messages: ran.messages,
            messages_per_second: per_second(ran.messages),
            message_us: Spread::of(&ran.latency),
            call_us: Spread::of(&ran.setup),
            refused: crowd.refused().iter().map(|(code, count)| (*code, *count)).collect(),
        }
    }

    fn is_good(&self) -> bool {
        self.calls > 0 && self.calls_failed == 0 && self.sockets_lost == 0
    }

    fn table(&self) -> String {
        let paint = Paint::stdout();
        let mut text = format!(
            "{}\n\nsockets   {} registered, {:.0} per second\ncalls     {} set up in {:.1} s: {:.1} per second\nmessages  {}: {:.1} per second\n",
            self.server,
            self.sockets,
            self.connects_per_second,
            self.calls,
            self.seconds,
            self.calls_per_second,
            self.messages,
            self.messages_per_second,
        );
        text += "\n             p50       p90       p99     p99.9   longest\n";
        for (name, spread) in [("message", &self.message_us), ("call", &self.call_us)] {
            let times = [spread.p50, spread.p90, spread.p99, spread.p999, spread.longest];
            let times: Vec<String> = times.iter().map(|us| format!("{:>9}", span(*us))).collect();
            text += &format!("{name:<7}{}\n", times.join(" "));
        }
        let mut wrong = Vec::new();
        if self.calls_failed > 0 {
            wrong.push(format!("{} calls failed", self.calls_failed));
        }
        if self.sockets_lost > 0 {
            wrong.push(format!(
                "{} sockets were lost: {}",
                self.sockets_lost,
                self.first_loss.as_deref().unwrap_or("?")
            ));
        }
        for (code, count) in &self.refused {
            wrong.push(format!("{count} requests were refused with {code}"));
        }
        if self.refused.iter().any(|(code, _)| *code == RATE_LIMITED) {
            wrong.push(
                "more peers (-n) make the same calls with fewer frames each; limits.frames_per_second is the bound"
                    .to_owned(),
            );
        }
        if !wrong.is_empty() {
            text += "\n";
        }
        for line in wrong {
            text += &paint.text("31", &line);
            text += "\n";
        }
        text
    }
}

/// `rate_limited`, the refusal that a load meets first.
const RATE_LIMITED: u16 = 4100;

impl Spread {
    fn of(latency: &Latency) -> Self {
        let us = |share: f64| latency.us(share).round();
        Self { p50: us(0.5), p90: us(0.9), p99: us(0.99), p999: us(0.999), longest: latency.longest_us().round() }
    }
}

fn span(us: f64) -> String {
    if us < 10_000.0 { format!("{us:.0} µs") } else { format!("{:.0} ms", us / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        load: LoadArgs,
    }

    #[test]
    fn another_machine_is_loaded_only_by_who_says_it_twice() {
        let asked = |words: &[&str]| {
            let args = Cli::parse_from([&["load", "wss://a.example"], words].concat()).load;
            allowed("a.example", &args).map_err(|failure| failure.exit)
        };
        let refused = Err(Exit::NotAllowed);
        assert_eq!(asked(&[]), refused);
        assert_eq!(asked(&["--remote"]), refused);
        assert_eq!(asked(&["--i-answer-for", "a.example"]), refused);
        assert_eq!(asked(&["--remote", "--i-answer-for", "b.example"]), refused);
        assert_eq!(asked(&["--remote", "--i-answer-for", "a.example"]), Ok(()));
    }

    #[test]
    fn spans_are_short() {
        assert_eq!((span(42.4), span(9_999.0), span(12_345.0)), ("42 µs".into(), "9999 µs".into(), "12 ms".into()));
    }
}
