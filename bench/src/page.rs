//! The page: what was measured, where, how, and what was not.

use std::fmt::Write;
use std::time::Duration;

use crate::book::Book;
use crate::goals::{count, goals, number};
use crate::process::machine;
use crate::server::Subject::{self, Bare, Gather, Guest, Keyed, Node, PeerJs, Tls, Usual};
use crate::sizes::Sizes;

/// Writes all of it.
pub(crate) fn write(book: &Book, sizes: &Sizes, took: Duration, is_whole: bool) -> String {
    let mut page = String::from(INTRODUCTION);
    if !is_whole {
        page.push_str(IMPRESSION);
    }
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "\nMeasured on {}, in {} that took {:.0} minutes. The server ran on one core and the load on another, unless a line says otherwise. \
         A figure is the median of its turns; a ratio is the median of the ratios within each turn, so that what slows the machine down for a while slows both.\n",
        machine(),
        if sizes.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", sizes.rounds) },
        (took.as_secs_f64() / 60.0).max(1.0),
    );
    page.push_str("## Goals\n\n| figure | measured | goal | first acceptable | |\n| --- | --- | --- | --- | --- |\n");
    for goal in goals(book, sizes) {
        let _ = writeln!(page, "{}", goal.row());
    }
    let tables: [fn(&Book, &Sizes) -> String; 7] = [messages, latency, memory, growth, many, cores, stress];
    for table in tables {
        page.push('\n');
        page.push_str(&table(book, sizes));
    }
    page.push('\n');
    page.push_str(&small(book, sizes));
    if !book.missing.is_empty() {
        page.push_str("\n## Not measured\n");
        for what in &book.missing {
            let _ = writeln!(page, "- {what}");
        }
    }
    page.push_str(METHOD);
    page
}

const INTRODUCTION: &str = "\
# What the server costs

`cargo xtask bench` measures and writes this page; nobody edits it. [What that means for a machine of yours](operate/capacity.md) is another page, \
and [how to run it](../bench/README.md) a third.

Seconds differ from machine to machine and from hour to hour. CPU time per message and bytes per socket, divided by what the cheapest relay \
that can be written took in the same minute, hardly do. That relay is one thread on a bare epoll loop that checks nothing: no sender, no limit, no JSON. \
The server checks all of it while it is measured here; limits are raised where a load from one machine would meet them, and none is off.
";

const IMPRESSION: &str = "
**This is a first impression of a part, or of a machine that had other things to do. It is no measurement.**
";

const METHOD: &str = "
## How it is measured
- A call is 22 messages between two registered peers: an offer and an answer of 2,300 bytes, and ten candidates of 300 bytes each way. *Sparse*: each message waits for the one before it. \
*Burst*: an offer and its candidates in one write, as browsers send them. Eight calls are being set up at any time, unless calls begin by the clock.
- CPU is what the server's threads spent in user code and in the kernel, as the scheduler counts it in nanoseconds. System calls are counted by `perf` at the kernel's own tracepoint.
- Latency is from writing a message to its arrival; for the first message of a call from when it was due, whether or not the load came to it in time. Each server is loaded for a second in its turn; a percentile is one of such a second, and the median of these is shown.
- As sockets grow in number, what a server does in the second after the last message of its turn counts too: among so many sockets, most of what peers with keys were sent is confirmed only then.
- Bytes are the growth of resident memory over the sockets that were opened, divided by their number. The kernel's own memory for a socket is beside that, and counted beside the small server.
- What is left: native peers say `bye` and the others just close; 2 seconds later resident memory is compared with that before they came.
- A join is counted with everything that it causes: the newcomer is told of all members, and all members of it. As many are told in a room of either size. What a member takes is read after a room of a hundred others has come and gone. For presence, everybody watches one peer that goes and comes back.
- Two cores: two servers with a core each beside one server that has both, with two threads of load that go where the scheduler puts them. Work done is 2 × the CPU per message of the two ÷ that of the one × how busy the cores were with the one ÷ how busy with the two. \
That two cores of a machine share caches and a clock slows both alike; that the threads of one server wait for each other shows in either factor.
- Stress: 300 calls per second are measured for as long as the trouble lasts, and before each trouble without it; the ratio is of these two. The trouble is made by another thread of the load on the same core, \
which the kernel takes off whenever the measuring one wakes up; for what share of the time that one could have run and had to wait nevertheless is told beside.
";

/// A table of servers in rows.
fn rows(book: &Book, subjects: &[Subject], columns: &[(&str, &str, usize)]) -> String {
    let mut text = String::from("| server |");
    for (head, ..) in columns {
        let _ = write!(text, " {head} |");
    }
    let _ = write!(text, "\n| --- |{}", " --- |".repeat(columns.len()));
    text.push('\n');
    for subject in subjects {
        let cells: Vec<Option<f64>> =
            columns.iter().map(|(_, figure, size)| book.median(figure, *subject, *size)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| {} |", subject.name());
        for cell in cells {
            let _ = write!(text, " {} |", cell.map_or("–".to_owned(), number));
        }
        text.push('\n');
    }
    text
}

const ALL: &[Subject] = &[Bare, Gather, Usual, Node, PeerJs, Guest, Keyed];

fn messages(book: &Book, sizes: &Sizes) -> String {
    let few = sizes.sockets;
    let fastest = sizes.rates.last().copied().unwrap_or_default();
    let open = format!("µs/message at {fastest} calls/s");
    let table = rows(
        book,
        ALL,
        &[
            ("µs/message sparse", "sparse", few),
            ("µs/message burst", "burst", few),
            (&open, "open", fastest),
            ("system calls/message sparse", "calls sparse", few),
            ("burst", "calls burst", few),
        ],
    );
    format!(
        "## Messages\nCPU per relayed message with {few} registered sockets; microseconds per message are CPU-seconds per million.\n\n{table}"
    )
}

fn latency(book: &Book, sizes: &Sizes) -> String {
    let mut text = String::from("## Latency at an offered rate\nMicroseconds, sparse.\n");
    for rate in &sizes.rates {
        let table = rows(book, ALL, &[("p50", "p50", *rate), ("p99", "p99", *rate), ("p99.9", "p99.9", *rate)]);
        let _ = write!(text, "\n{rate} calls per second, {} messages:\n\n{table}", count(rate * 22));
    }
    text
}

fn memory(book: &Book, sizes: &Sizes) -> String {
    let subjects = [Bare, Usual, Node, PeerJs, Guest, Keyed, Tls];
    let table = rows(
        book,
        &subjects,
        &[
            ("bytes per idle socket", "idle", 0),
            ("2 s after 16 KB each way", "idle after", 0),
            ("MB left 2 s after all closed", "left", sizes.idle),
            ("µs to connect and register", "connect", 0),
        ],
    );
    let resumable = book.median("resumable", Keyed, 0).map_or(String::new(), |bytes| {
        format!(
            "\nA session whose socket is lost without a word waits two minutes to be resumed, and meanwhile takes {} bytes and nothing in the kernel.\n",
            number(bytes)
        )
    });
    format!(
        "## Sockets\n{} registered sockets that do nothing, a fifth of that for the relay by hand.\n\n{table}{resumable}",
        count(sizes.idle)
    )
}

fn growth(book: &Book, sizes: &Sizes) -> String {
    let alone: Vec<String> =
        sizes.growth.iter().filter(|size| **size > sizes.beside).map(|size| count(*size)).collect();
    let alone = match alone.as_slice() {
        [] => String::new(),
        some => format!("; with {} one after the other, minutes apart", some.join(" and ")),
    };
    let mut text = format!(
        "## As sockets grow in number\nServers with more and more registered sockets, all of which take part in calls. \
         Memory and connecting were measured one server after the other, messages side by side and in turns{alone}.\n\n\
         | server | sockets | bytes for each that was added | µs to connect and register | µs/message sparse | burst |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for subject in [Bare, Keyed] {
        for size in book.sizes("grow sparse", subject) {
            let cell = |figure: &str| book.median(figure, subject, size).map_or("–".to_owned(), number);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                subject.name(),
                count(size),
                cell("grow bytes"),
                cell("grow connect"),
                cell("grow sparse"),
                cell("grow burst")
            );
        }
    }
    text
}

fn many(book: &Book, sizes: &Sizes) -> String {
    let mut text = String::from(
        "## One to many\nCPU for each member told, in microseconds.\n\n\
         | members | join | bytes sent for a join | say, 300 bytes | presence | bytes of memory for a member |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for size in &sizes.rooms {
        let cell = |figure: &str| book.median(figure, Keyed, *size).map_or("–".to_owned(), number);
        let cells = ["join", "join bytes", "say", "presence", "member bytes"].map(cell).join(" | ");
        let _ = writeln!(text, "| {} | {cells} |", count(*size));
    }
    if let Some(us) = book.median("find", Keyed, 0) {
        let _ = writeln!(text, "\nAsking where a peer is, and being told, takes {} µs.", number(us));
    }
    text
}

fn cores(book: &Book, _sizes: &Sizes) -> String {
    let cell = |figure: &str, size: usize| book.median(figure, Guest, size).map_or("–".to_owned(), number);
    let row = |size: usize| ["core cost", "core busy", "core rate"].map(|figure| cell(figure, size)).join(" | ");
    format!(
        "## Two cores\nThe load shares both cores with the servers.\n\n\
         | | µs/message | both cores busy, % | messages/s of servers and load together |\n| --- | --- | --- | --- |\n\
         | two servers, a core each | {} |\n| one server on both cores | {} |\n\n\
         So a server does on two cores {} × the work of one core.\n",
        row(1),
        row(2),
        cell("core work", 2),
    )
}

fn stress(book: &Book, sizes: &Sizes) -> String {
    let mut text = format!(
        "## Latency while something goes wrong\nMessages between peers who have no part in it, at 300 calls per second. Calm, they take {} µs (p50) and {} µs (p99).\n\n\
         | trouble | p50 µs | p99 µs | p99 against calm | lasted ms | the load itself waited |\n| --- | --- | --- | --- | --- | --- |\n",
        book.median("calm p50", Keyed, 0).map_or("–".to_owned(), number),
        book.median("calm p99", Keyed, 0).map_or("–".to_owned(), number)
    );
    let troubles = [
        ("deaf", "a tenth of the sockets read nothing, and much is sent to them".to_owned()),
        ("storm", format!("{} sockets are cut and come back at once", count(sizes.storm))),
        ("crowd", format!("a room of {} fills within a second", count(sizes.crowd))),
    ];
    for (figure, what) in troubles {
        let cell = |part: &str| book.median(&format!("{figure} {part}"), Keyed, 0).map_or("–".to_owned(), number);
        let [p50, p99, ratio, ms, waited] = ["p50", "p99", "ratio", "ms", "waited"].map(cell);
        let _ = writeln!(text, "| {what} | {p50} | {p99} | {ratio} × | {ms} | {waited} % |");
    }
    text
}

fn small(book: &Book, sizes: &Sizes) -> String {
    let cell = |figure: &str| book.median(figure, Keyed, sizes.small).map_or("–".to_owned(), number);
    if book.median("small bytes", Keyed, sizes.small).is_none() {
        return "## The five-dollar server\nNot measured: see below.\n".to_owned();
    }
    format!(
        "## The five-dollar server\nThe server in a control group with 512 MiB of memory and one processor, {} peers with keys registered.\n\n\
         A peer takes {} bytes, {} of them in the kernel; the group itself counted {}, for not every kernel charges sockets to it. With a tenth kept free, about {} such peers fit; a process may hold 20,000 sockets where this was measured, so that number is reckoned and not tried. \
         Meanwhile it set up {} calls per second, sparse, with its processor busy for {} % of the time.\n",
        count(sizes.small),
        cell("small each"),
        book.median("kernel bytes", Keyed, 0).map_or("some".to_owned(), number),
        cell("small bytes"),
        cell("small holds"),
        cell("small calls"),
        cell("small busy"),
    )
}
