//! What a process used, as the kernel counts it, and where it may run.

use std::fs;

use anyhow::{Context, Result};

/// Nanoseconds that all threads of the process spent on a processor.
pub(crate) fn cpu_ns(pid: u32) -> Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the server is gone")? {
        // A thread may end while we look; what it used then is lost, and servers keep their threads.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += first_number(&text).context("schedstat has no number")?;
    }
    Ok(total)
}

/// Resident bytes of the process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("status has no VmRSS")?;
    Ok(first_number(line).context("VmRSS has no number")? * 1024)
}

/// Lets this thread, and the processes that it starts from now on, run on one processor only. Where there is just one,
/// nothing changes.
pub(crate) fn pin(processor: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set).ok();
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_used_time_and_memory() -> Result<()> {
        let pid = std::process::id();
        assert!(cpu_ns(pid)? > 0);
        assert!(resident_bytes(pid)? > 4096);
        assert!(cpu_ns(u32::MAX).is_err());
        Ok(())
    }
}
