//! What a machine with 512 MiB of memory and one processor holds: the server alone in a control group, kernel memory of its sockets included.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wigwag_load::{Pace, Plan, Rhythm, run};

use crate::book::Book;
use crate::server::{Stage, Subject};
use crate::sizes::Sizes;

const MEMORY: u64 = 512 << 20;

pub(crate) fn small(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    let cell = match Cell::new() {
        Ok(cell) => cell,
        Err(why) => {
            book.lack(format!("a server with 512 MiB and one processor: no control group can be made here ({why:#})"));
            return Ok(());
        }
    };
    let subject = Subject::Keyed;
    let server = stage.start_on(subject, &stage.cores[0], &stage.cores[1], &cell.enter())?;
    let mut crowd = server.crowd()?;
    crowd.open(sizes.sockets, 64)?;
    super::settle(&mut crowd, sizes.settle)?;
    let (start, resident) = (cell.used()?, server.resident()?);
    crowd.open(sizes.small, 64)?;
    super::settle(&mut crowd, sizes.settle)?;
    let per = |bytes: f64| bytes / sizes.small as f64;
    let each = per(cell.used()?.saturating_sub(start) as f64);
    book.add("small bytes", subject, sizes.small, each);
    // Sockets are made while an interrupt is served, and are not charged to the group everywhere.
    let resident = per(server.resident()? - resident);
    let kernel = book.median("kernel bytes", subject, 0).unwrap_or_default().max(each - resident);
    let each = resident + kernel;
    book.add("small each", subject, sizes.small, each);
    // A tenth is left free for what comes at once.
    book.add("small holds", subject, sizes.small, (MEMORY as f64 * 0.9 - start as f64) / each.max(1.0));
    let mut plan = Plan::calls(0..sizes.sockets, Rhythm::Sparse, Pace::AtOnce(32), u64::MAX);
    plan.time = sizes.seconds;
    let (us, ran) = server.worked(|| run(&mut crowd, &plan, |_, _| true))?;
    crowd.check()?;
    let took = ran.took.as_secs_f64();
    book.add("small calls", subject, sizes.small, ran.done as f64 / took);
    book.add("small busy", subject, sizes.small, us / took / 1e4);
    Ok(())
}

/// A control group, of either version, that goes when it is dropped.
struct Cell(Vec<PathBuf>);

impl Cell {
    fn new() -> Result<Self> {
        let name = format!("wigwag-bench-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let make = |folder: PathBuf| -> Result<PathBuf> {
            fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
            Ok(folder)
        };
        let write = |file: PathBuf, text: String| fs::write(&file, text).with_context(|| file.display().to_string());
        let cell = if root.join("memory").is_dir() {
            let cell = Self(vec![make(root.join("memory").join(&name))?, make(root.join("cpu").join(&name))?]);
            write(root.join("memory").join(&name).join("memory.limit_in_bytes"), MEMORY.to_string())?;
            write(root.join("cpu").join(&name).join("cpu.cfs_period_us"), "100000".to_owned())?;
            write(root.join("cpu").join(&name).join("cpu.cfs_quota_us"), "100000".to_owned())?;
            cell
        } else {
            write(root.join("cgroup.subtree_control"), "+memory +cpu".to_owned())?;
            let cell = Self(vec![make(root.join(&name))?]);
            write(root.join(&name).join("memory.max"), MEMORY.to_string())?;
            write(root.join(&name).join("cpu.max"), "100000 100000".to_owned())?;
            cell
        };
        // Buffers of TCP are counted apart in the first version, where the kernel counts them at all.
        cell.used()?;
        Ok(cell)
    }

    /// The beginning of a command that runs in it.
    fn enter(&self) -> Vec<String> {
        let folders: Vec<String> = self.0.iter().map(|folder| folder.display().to_string()).collect();
        let script =
            format!("for d in {}; do echo $$ > $d/cgroup.procs || exit 1; done; exec \"$@\"", folders.join(" "));
        ["sh", "-c", &script, "sh"].map(str::to_owned).into()
    }

    /// Bytes in use, those of the kernel for its sockets among them.
    fn used(&self) -> Result<u64> {
        let folder = self.0.first().context("no control group")?;
        let number = |name: &str| -> Option<u64> { fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
        let all = number("memory.usage_in_bytes").or_else(|| number("memory.current")).context("it counts nothing")?;
        // Files that were read, the program itself among them, are given back when memory is short.
        let stat = fs::read_to_string(folder.join("memory.stat"))?;
        let file = stat.lines().find_map(|line| line.strip_prefix("cache ").or_else(|| line.strip_prefix("file ")));
        let file = file.and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(all.saturating_sub(file) + number("memory.kmem.tcp.usage_in_bytes").unwrap_or(0))
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // The server in it is gone already; where the kernel is not done with it, an empty folder stays.
        for folder in &self.0 {
            for _ in 0..100 {
                if fs::remove_dir(folder).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}
