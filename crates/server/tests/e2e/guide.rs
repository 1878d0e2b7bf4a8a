//! The guide to the commands, run as it stands: what its machines print is what it says.
//!
//! ```text
//! sh NAME         the machine NAME runs this        sh NAME later    the same; what follows does not wait for its end
//! text NAME       what it prints from then on, by lines; `…` for anything, and a line `…` for any lines
//! ```

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use crate::support::server::BINARY;
use crate::support::{Server, Wigwag};
use crate::tool::Running;

#[tokio::test]
async fn the_guide_to_the_commands_is_as_it_says() {
    let server = Wigwag::new().set("ice.stun", "").start().await;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    std::os::unix::fs::symlink(BINARY, folder.path().join("wigwag")).unwrap();
    let mut machines: BTreeMap<String, Machine> = BTreeMap::new();
    let mut id = String::new();
    for Block { kind, machine, later, text, line } in blocks() {
        let home = folder.path().join(&machine);
        std::fs::create_dir_all(&home).unwrap();
        let at = machines.entry(machine).or_insert_with(|| Machine { home, runs: Vec::new(), heard: Vec::new() });
        let text = text.replace("127.0.0.1:2222", &format!("127.0.0.1:{port}"));
        if kind == "sh" {
            let script = text.replace(" ID", &format!(" {id}")).replace("localhost:8080", &server.address.to_string());
            at.run(&script, &server, folder.path().to_str().unwrap());
            if !later {
                at.ends().await;
            }
        } else {
            println!("docs/guide/commands.md:{line}");
            at.says(&text, &mut id).await;
        }
    }
}

/// A block of the guide.
struct Block {
    kind: String,
    machine: String,
    later: bool,
    text: String,
    line: usize,
}

struct Machine {
    home: PathBuf,
    /// What runs, the newest last.
    runs: Vec<Running>,
    /// What was printed by what has ended.
    heard: Vec<String>,
}

impl Machine {
    fn run(&mut self, script: &str, server: &Server, path: &str) {
        let mut command = Command::new("sh");
        command
            // Both outputs, in their order.
            .args(["-ec", &format!("exec 2>&1\n{script}")])
            .current_dir(&self.home)
            .env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap()))
            .env("XDG_DATA_HOME", &self.home)
            .env("WIGWAG_SERVER", server.address.to_string());
        self.heard.clear();
        self.runs.push(Running::start(&mut command));
    }

    async fn ends(&mut self) {
        let ended = self.runs.pop().unwrap().run("").await;
        assert_eq!(ended.code, 0, "{}", ended.out);
        self.heard = ended.out.lines().map(str::to_owned).collect();
        self.heard.reverse();
    }

    async fn next(&mut self) -> String {
        match self.heard.pop() {
            Some(line) => line,
            None => self.runs.last_mut().expect("more is printed").said().await,
        }
    }

    async fn says(&mut self, text: &str, id: &mut String) {
        let mut any = false;
        for wanted in text.lines() {
            if wanted == "…" {
                any = true;
                continue;
            }
            let mut line = self.next().await;
            while any && !is_like(&line, wanted) {
                line = self.next().await;
            }
            assert!(is_like(&line, wanted), "{line:?} is not {wanted:?}");
            any = false;
            if let Some((me, _)) = line.strip_prefix("I am ").map(|rest| rest.split_once(',').unwrap_or((rest, ""))) {
                me.clone_into(id);
            }
        }
    }
}

/// Whether a line is as the guide has it.
fn is_like(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    rest.is_empty() || open
}

fn blocks() -> Vec<Block> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/commands.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in guide.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            open = !open;
            if open {
                let mut words = fence.split(' ').map(str::to_owned);
                let kind = words.next().unwrap();
                let machine = words.next().expect("a block names its machine");
                let later = words.next().is_some_and(|word| word == "later");
                blocks.push(Block { kind, machine, later, text: String::new(), line: at + 1 });
            }
        } else if open {
            blocks.last_mut().unwrap().text.push_str(&format!("{line}\n"));
        }
    }
    blocks
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
