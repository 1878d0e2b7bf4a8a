//! The process itself, under the names that Prometheus's own libraries use. Read from `/proc`, so on Linux only.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The unit of CPU times in `/proc`: fixed by the kernel's interface, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process {
    start_seconds: f64,
}

impl Process {
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start_seconds: since.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            Some(value) => {
                let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(encoder)
            }
            None => Ok(()),
        };
        gauge("process_start_time_seconds", "When the process started, since 1970", Some(self.start_seconds))?;
        gauge("process_resident_memory_bytes", "Memory of the process that is in RAM", status("VmRSS:", 1024.0))?;
        gauge("process_virtual_memory_bytes", "Address space of the process", status("VmSize:", 1024.0))?;
        gauge("process_threads", "Threads of the process", status("Threads:", 1.0))?;
        gauge("process_open_fds", "Open file descriptors", open_fds())?;
        gauge("process_max_fds", "Most file descriptors that the process may open", max_fds())?;
        if let Some(seconds) = cpu_seconds() {
            let name = "process_cpu_seconds";
            let encoder = encoder.encode_descriptor(name, "CPU time used", None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(encoder)?;
        }
        Ok(())
    }
}

fn status(field: &str, factor: f64) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let value: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(value * factor)
}

#[allow(clippy::cast_precision_loss, reason = "no process has that many descriptors")]
fn open_fds() -> Option<f64> {
    // Newer kernels tell the number as the folder's size; older ones say 0 and the entries must be counted.
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64),
        fds => Some(fds as f64),
    }
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name stands in brackets and may hold anything; what follows the last bracket is numbers.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_tells_what_it_uses() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::new()));
        let text = super::super::render(&registry);
        for name in [
            "process_start_time_seconds",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_threads",
            "process_open_fds",
            "process_max_fds",
            "process_cpu_seconds_total",
        ] {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            assert!(value.is_some_and(|v| v.parse::<f64>().is_ok()), "{name} in\n{text}");
        }
        assert!(open_fds().is_some_and(|fds| fds >= 3.0));
        assert!(status("VmRSS:", 1024.0).is_some_and(|bytes| bytes > 1e6));
    }
}
