//! The commands that talk to peers, between processes of their own over the running server.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};

use crate::support::server::BINARY;
use crate::support::{Server, Wigwag, soon};

#[tokio::test]
async fn find_says_by_its_exit_code_whether_somebody_is_there() {
    let (server, home) = (quiet().start().await, tempfile::tempdir().unwrap());
    let found = tool(&server, home.path(), "find", &["nobody@example.org", "--json"]).run("").await;
    assert_eq!(found.code, 3);
    let told: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((&told["state"], &told["last_seen"]), (&"gone".into(), &Value::Null));
    let mut waiting = tool(&server, home.path(), "pipe", &[]);
    let id = waiting.line().await.replace("I am ", "");
    let other = tempfile::tempdir().unwrap();
    let found = tool(&server, other.path(), "find", &[&id]).run("").await;
    assert_eq!((found.code, found.out.lines().next()), (0, Some(format!("{id} is here.").as_str())));
}

#[tokio::test]
async fn what_goes_into_a_pipe_comes_out_at_the_other_end_both_ways() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut waiting = tool(&server, one.path(), "pipe", &[]);
    let id = waiting.line().await.replace("I am ", "");
    let calling = tool(&server, two.path(), "pipe", &[&id]);
    let large = "to and fro ".repeat(100_000);
    let (called, answered) =
        soon("both ends", async { tokio::join!(calling.run(&large), waiting.run("an answer")) }).await;
    assert_eq!((called.code, called.out.as_str()), (0, "an answer"), "{}", called.err);
    assert_eq!((answered.code, answered.out.len()), (0, large.len()), "{}", answered.err);
    assert!(answered.out == large);
}

#[tokio::test]
async fn a_command_that_takes_no_calls_does_not_answer_for_another_of_the_same_machine() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut chat = tool(&server, one.path(), "chat", &["den"]);
    assert!(chat.said().await.starts_with("You are alone"));
    let mut waiting = tool(&server, one.path(), "pipe", &[]);
    let id = waiting.line().await.replace("I am ", "");
    let calling = tool(&server, two.path(), "pipe", &[&id]).run("to the pipe");
    let (called, ended) = soon("both ends", async { tokio::join!(calling, waiting.run("")) }).await;
    assert_eq!((called.code, ended.out.as_str()), (0, "to the pipe"), "{}", called.err);
}

#[tokio::test]
async fn what_happens_to_a_pipe_or_a_port_is_told_to_programs() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut waiting = tool(&server, one.path(), "pipe", &["--json"]);
    let told: Value = serde_json::from_str(&waiting.line().await).unwrap();
    assert_eq!(told["type"], "waiting");
    let id = told["id"].as_str().unwrap();
    let called = tool(&server, two.path(), "pipe", &[id, "--json"]).run("over");
    let (called, ended) = soon("both ends", async { tokio::join!(called, waiting.run("")) }).await;
    let told = [called.err, ended.err].map(|told| serde_json::from_str::<Value>(&told).unwrap());
    assert_eq!((&told[0]["type"], &told[0]["id"]), (&"connected".into(), &id.into()));
    assert_eq!((&told[1]["type"], ended.out.as_str()), (&"connected".into(), "over"));
    let mut offering = tool(&server, one.path(), "forward", &["--to", "127.0.0.1:1", "--json"]);
    let offer = offering.printed().await;
    assert_eq!((&offer["type"], &offer["to"]), (&"offering".into(), &"127.0.0.1:1".into()));
    let mut bringing = tool(&server, two.path(), "forward", &[id, "--json"]);
    let here = bringing.printed().await;
    assert_eq!((&here["type"], &here["id"]), (&"listening".into(), &id.into()));
    assert_eq!(offering.printed().await["type"], "connected");
    drop(TcpStream::connect(here["at"].as_str().unwrap()).await.unwrap());
    assert_eq!(offering.printed().await["type"], "unreachable");
}

#[tokio::test]
async fn a_pipe_lets_in_only_whom_it_was_told() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut waiting = tool(&server, one.path(), "pipe", &["--from", "somebody@example.org"]);
    let id = waiting.line().await.replace("I am ", "");
    let refused = tool(&server, two.path(), "pipe", &[&id]).run("").await;
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("Somebody else is expected here."), "{}", refused.err);
    let absent = tool(&server, two.path(), "pipe", &["nobody@example.org"]).run("").await;
    assert_eq!(absent.code, 3, "{}", absent.err);
}

#[tokio::test]
async fn a_port_of_another_machine_is_brought_here() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = echo.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = echo.accept().await {
            tokio::spawn(async move {
                let mut said = Vec::new();
                tcp.read_to_end(&mut said).await.unwrap();
                said.reverse();
                tcp.write_all(&said).await.unwrap();
            });
        }
    });
    let mut offering = tool(&server, one.path(), "forward", &["--to", &to]);
    let id = offering.line().await.replace("I am ", "").split(',').next().unwrap().to_owned();
    let mut bringing = tool(&server, two.path(), "forward", &[&id]);
    let at = bringing.line().await.split(' ').next().unwrap().to_owned();
    for said in ["one", "two"] {
        let mut tcp = TcpStream::connect(&at).await.unwrap();
        tcp.write_all(said.as_bytes()).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut answer = String::new();
        soon("the answer", tcp.read_to_string(&mut answer)).await.unwrap();
        assert_eq!(answer, said.chars().rev().collect::<String>());
    }
}

#[tokio::test]
async fn people_talk_in_a_room_a_line_at_a_time() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut alice = tool(&server, one.path(), "chat", &["den", "--nick", "Alice", "--json"]);
    assert!(alice.printed().await["text"].as_str().unwrap().starts_with("You are alone in den."));
    let mut bob = tool(&server, two.path(), "chat", &["den", "--nick", "Bob"]);
    assert_eq!(bob.said().await, "With you in den: Alice");
    assert_eq!(alice.printed().await["nick"], "Bob");
    bob.types("hello \u{1b}[31mred\n");
    let said = alice.printed().await;
    assert_eq!((&said["type"], &said["nick"]), (&"said".into(), &"Bob".into()));
    alice.types("hi\u{7}\n");
    assert_eq!(bob.said().await, "Alice  hi\u{fffd}", "nobody rings another one's bell");
    let ended = bob.run("").await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(alice.printed().await["type"], "left");
}

#[tokio::test]
async fn who_spoke_in_a_room_is_named_after_it_went_too() {
    let (server, [one, two]) = (quiet().start().await, homes());
    let mut alice = tool(&server, one.path(), "chat", &["den"]);
    assert!(alice.said().await.starts_with("You are alone in den."));
    // She hears all of it at once.
    alice.signal(Signal::STOP);
    let ended = tool(&server, two.path(), "chat", &["den", "--nick", "Bob"]).run("hello\n").await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    alice.signal(Signal::CONT);
    assert_eq!(alice.said().await, "Bob came in");
    assert_eq!(alice.said().await, "Bob  hello");
    assert_eq!(alice.said().await, "Bob went");
}

fn quiet() -> Wigwag {
    Wigwag::new().set("ice.stun", "")
}

fn homes() -> [tempfile::TempDir; 2] {
    [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]
}

/// A command that runs.
pub(super) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
}

pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    /// The line of JSON of this type among its output.
    pub(super) fn json(&self, kind: &str) -> Value {
        let lines = self.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.into_iter().find(|line| line["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {}", self.out))
    }
}

/// Runs a command as the somebody whose identity lies in this folder.
fn tool(server: &Server, home: &Path, command: &str, args: &[&str]) -> Running {
    tool_in(server, home, Path::new("."), command, args)
}

/// The same in this folder.
pub(super) fn tool_in(server: &Server, home: &Path, at: &Path, command: &str, args: &[&str]) -> Running {
    Running::start(
        Command::new(BINARY)
            .current_dir(at)
            .arg(command)
            .arg("--loopback")
            .args(args)
            .env_clear()
            .env("XDG_DATA_HOME", home)
            .env("WIGWAG_SERVER", server.address.to_string()),
    )
}

/// What is read from a pipe, by lines.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (lines, read) = channel(1024);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = String::new();
        while pipe.read_line(&mut line).is_ok_and(|count| count > 0) {
            if lines.blocking_send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    read
}

impl Drop for Running {
    fn drop(&mut self) {
        // What a shell started goes with it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts it with pipes for its input and outputs.
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            out: lines(child.stdout.take().unwrap()),
            err: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for a line of its output with these words.
    pub(super) async fn until(&mut self, words: &str) {
        while !self.said().await.contains(words) {}
    }

    /// Whether it has not ended.
    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The most memory that it had so far, in bytes; `None` once it is over.
    #[cfg(target_os = "linux")]
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Control and C.
    #[cfg(unix)]
    pub(super) fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it without a word.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// The next line of what it tells a person.
    async fn line(&mut self) -> String {
        soon("a line", self.err.recv()).await.unwrap().trim_end().to_owned()
    }

    /// The next line of its output.
    pub(super) async fn said(&mut self) -> String {
        soon("a line", self.out.recv()).await.unwrap().trim_end().to_owned()
    }

    async fn printed(&mut self) -> Value {
        serde_json::from_str(&self.said().await).unwrap()
    }

    pub(super) fn types(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).unwrap();
    }

    /// Types this and nothing after it, and waits for the end.
    pub(super) async fn run(mut self, input: &str) -> Ended {
        let (mut pipe, input) = (self.input.take().unwrap(), input.to_owned());
        let typed = thread::spawn(move || pipe.write_all(input.as_bytes()));
        let all = async |lines: &mut Receiver<String>| {
            let mut text = String::new();
            while let Some(line) = lines.recv().await {
                text.push_str(&line);
            }
            text
        };
        let (out, err) = soon("the end", async { tokio::join!(all(&mut self.out), all(&mut self.err)) }).await;
        // Whoever ended early has not read it.
        let _ = typed.join().unwrap();
        let code = self.child.wait().unwrap().code().unwrap();
        Ended { code, out, err }
    }
}
