//! What a process used, as the kernel counts it, and where it may run.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

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

/// Microseconds that all threads of this process, past ones too, spent on a processor.
pub(crate) fn own_cpu_us() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Resident bytes of the process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("status has no VmRSS")?;
    Ok(first_number(line).context("VmRSS has no number")? * 1024)
}

/// What the kernel holds in small objects, sockets among them, for everybody.
pub(crate) fn slab_bytes() -> Option<f64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    Some(first_number(line)? as f64 * 1024.0)
}

/// Lets this thread, and what it starts from now on, run on these processors only. Where there are not so many, nothing changes.
pub(crate) fn pin(processors: &[usize]) {
    let mut set = rustix::thread::CpuSet::new();
    for processor in processors {
        set.set(*processor);
    }
    rustix::thread::sched_setaffinity(None, &set).ok();
}

/// Lets every other thread take this one's processor at once. Where that cannot be had, it only gets less of it.
pub(crate) fn stand_back() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--idle", "--pid", "0", &thread]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !chrt.status().is_ok_and(|status| status.success()) {
        rustix::process::setpriority_process(None, 19).ok();
    }
}

/// How long this thread could have run and had no processor, since it began.
pub(crate) fn waited_for_processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().nth(1)?.parse().ok()?))
}

/// Counts the system calls of a process with `perf`.
pub(crate) struct Calls(Child);

impl Calls {
    /// Begins to count, if this machine can.
    pub(crate) fn count(pid: u32) -> Option<Self> {
        let mut perf = Command::new("perf");
        perf.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()]);
        let child = perf.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
        let counter = Self(child);
        // It counts once its events are open, and there is no other sign of that.
        let begun = Instant::now();
        while !counter.is_open() {
            if begun.elapsed() > Duration::from_secs(2) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(counter)
    }

    fn is_open(&self) -> bool {
        let Ok(files) = fs::read_dir(format!("/proc/{}/fd", self.0.id())) else { return false };
        files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy().contains("perf_event")))
    }

    /// How many there were.
    pub(crate) fn end(self) -> Option<f64> {
        kill_process(Pid::from_child(&self.0), Signal::INT).ok()?;
        let told = self.0.wait_with_output().ok()?;
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        text.lines().find(|line| line.contains("raw_syscalls"))?.split(',').next()?.parse().ok()
    }
}

/// What this machine is, for the page.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    // This thread may be held to one of them.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let kib = memory.lines().find_map(|line| first_number(line.strip_prefix("MemTotal:")?));
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.split(['-', '+']).next().unwrap_or_default().trim();
    format!(
        "{} with {cores} cores, {:.0} GiB of memory, Linux {kernel}",
        model.map_or("a processor without a name", |(_, name)| name.trim()),
        kib.unwrap_or_default() as f64 / 1_048_576.0,
    )
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
