//! What needs a process of its own: a killed server, and disks that are full or read-only. Each test runs itself
//! again as a child; the disks are small ones in the memory, mounted where only the child sees them.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use wigwag_server::store::{Claim, OpenError, Place, Store, StoreError, StoreOptions};

use crate::support::{key, name, ns, on_disk, quick, until};

/// Tells a test that it runs as its own child, and where.
const CHILD: &str = "WIGWAG_STORE_TEST_CHILD";

#[tokio::test]
async fn kill_nine_loses_no_acknowledged_name() {
    if let Some(dir) = env::var_os(CHILD) {
        claim_for_ever(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 1..=3 {
        let mut child = child("disasters::kill_nine_loses_no_acknowledged_name", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while acknowledged.len() < round * 200 {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended by itself");
            acknowledged.extend(claimed(&line));
        }
        // SIGKILL. What it had said until then counts, but a half line.
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        let whole = rest.rsplit_once('\n').map_or("", |(whole, _half)| whole);
        acknowledged.extend(whole.lines().filter_map(claimed));

        let store = on_disk(dir.path());
        for text in &acknowledged {
            assert_eq!(store.keys(&ns(), &name(text)).await.unwrap(), [key(1)], "{text} in round {round}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_full_disk_degrades_the_store_until_there_is_room() {
    let Some(dir) = in_own_mounts("disasters::a_full_disk_degrades_the_store_until_there_is_room") else { return };
    let log = Log::begin();
    mount(&dir, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    let store = open(&dir).unwrap();
    let mut bound = vec!["bob".to_owned()];
    assert_eq!(claim(&store, "bob").await, Ok(Claim::Bound));

    fill(&dir);
    let refused = claim_until_refused(&store, &mut bound).await;
    assert_eq!(refused, StoreError::Unavailable);
    assert!(store.is_degraded() && store.metrics().is_degraded());
    assert_eq!(claim(&store, "late").await, Err(StoreError::Unavailable));
    assert_eq!(claim(&store, "bob").await, Ok(Claim::Mine), "what is there is still found");
    assert_eq!(store.claim(&ns(), &name("bob"), &key(2), 9).await, Ok(Claim::Taken));
    assert_eq!(log.count("the store cannot write: the disk is full"), 1);

    empty(&dir);
    until("the store recovers", async || !store.is_degraded()).await;
    assert!(!store.metrics().is_degraded());
    assert_eq!(log.count("the store can write again"), 1);
    assert_eq!(claim(&store, "late").await, Ok(Claim::Bound));
    bound.push("late".to_owned());
    store.close().await;

    // It also starts on a full disk, since it was there before.
    fill(&dir);
    let store = open(&dir).unwrap();
    assert_eq!(claim_until_refused(&store, &mut bound).await, StoreError::Unavailable);
    empty(&dir);
    until("the store recovers", async || !store.is_degraded()).await;
    for text in &bound {
        assert_eq!(store.keys(&ns(), &name(text)).await.unwrap(), [key(1)], "{text}");
    }
    assert_eq!(claim(&store, "last").await, Ok(Claim::Bound));
    store.close().await;
}

#[tokio::test]
async fn a_read_only_disk_degrades_the_store_until_it_is_writable() {
    let Some(dir) = in_own_mounts("disasters::a_read_only_disk_degrades_the_store_until_it_is_writable") else {
        return;
    };
    let log = Log::begin();
    mount(&dir, &["-t", "tmpfs", "-o", "size=4m", "tmpfs"]);
    let store = open(&dir.join("data")).unwrap();
    assert_eq!(claim(&store, "bob").await, Ok(Claim::Bound));
    store.close().await;

    mount(&dir, &["-o", "remount,ro"]);
    assert!(matches!(open(&dir.join("new")).map(drop), Err(OpenError::Folder { .. })), "a first start needs a disk");
    let store = open(&dir.join("data")).unwrap();
    assert!(store.is_degraded());
    assert_eq!(claim(&store, "late").await, Err(StoreError::Unavailable));
    assert_eq!(log.count("read-only"), 1);

    mount(&dir, &["-o", "remount,rw"]);
    until("the store recovers", async || !store.is_degraded()).await;
    assert_eq!(claim(&store, "bob").await, Ok(Claim::Mine));
    assert_eq!(claim(&store, "late").await, Ok(Claim::Bound));
    store.close().await;
}

async fn claim(store: &Store, text: &str) -> Result<Claim, StoreError> {
    store.claim(&ns(), &name(text), &key(1), 0).await
}

fn open(folder: &Path) -> Result<Store, OpenError> {
    Store::open(&Place::Folder(folder.to_owned()), quick(StoreOptions::default()))
}

/// Claims names until the store refuses one: the log may have some room left on a full disk.
async fn claim_until_refused(store: &Store, bound: &mut Vec<String>) -> StoreError {
    loop {
        let text = format!("n{}", bound.len());
        match claim(store, &text).await {
            Ok(answer) => assert_eq!(answer, Claim::Bound),
            Err(error) => return error,
        }
        bound.push(text);
        assert!(bound.len() < 10_000, "the disk is never full");
    }
}

/// The killed child's part: claims names and says each one that was bound.
async fn claim_for_ever(folder: &Path) -> ! {
    let store = on_disk(folder);
    let start = std::process::id();
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    let text = format!("n{start}-{task}-{number}");
                    assert_eq!(claim(&store, &text).await, Ok(Claim::Bound));
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\nclaimed {text}").and_then(|()| out.flush()).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    panic!("nobody killed the child");
}

fn claimed(line: &str) -> Option<String> {
    line.trim_end().strip_prefix("claimed ").map(ToOwned::to_owned)
}

fn child(test: &str, told: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, told);
    command
}

/// Runs the test again where it may mount disks, and returns the folder to mount on there. In the first run, and where
/// that is not allowed, there is none.
fn in_own_mounts(test: &str) -> Option<PathBuf> {
    if let Some(dir) = env::var_os(CHILD) {
        return Some(dir.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let may = |how: &[&str]| {
        let mut trial = Command::new("unshare");
        trial.args(how).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path());
        trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let Some(how) = ways.into_iter().find(|how| may(how)) else {
        // Past the test harness, which swallows what a passing test prints.
        #[expect(clippy::explicit_write)]
        writeln!(std::io::stderr(), "SKIPPED {test}: may not mount a disk, not even in a namespace of its own")
            .unwrap();
        return None;
    };
    let inner = child(test, dir.path());
    let status = Command::new("unshare")
        .args(how)
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD, dir.path())
        // One test is one line of the report; what goes wrong is told on standard error.
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed on its own disk, see above");
    None
}

fn mount(dir: &Path, how: &[&str]) {
    assert!(Command::new("mount").args(how).arg(dir).status().unwrap().success());
}

fn fill(dir: &Path) {
    let mut filler = File::create(dir.join("filler")).unwrap();
    for size in [65_536, 4_096, 1] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

fn empty(dir: &Path) {
    fs::remove_file(dir.join("filler")).unwrap();
}

/// What the store logs in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn begin() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
        log
    }

    fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(text).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
