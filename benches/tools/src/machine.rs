//! What Linux tells about processes and the whole machine, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// What a process has used since it began, its ended children included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// CPU time in seconds, user and system.
    pub cpu_s: f64,
    /// Resident memory at this moment, in MiB.
    pub rss_mib: f64,
    /// The most it ever was.
    pub peak_rss_mib: f64,
}

/// What all CPUs together have done since the machine started, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busy {
    /// Work of any kind.
    pub busy_s: f64,
    /// Time that a hypervisor gave to others.
    pub stolen_s: f64,
}

/// Reads the usage of a process.
///
/// # Errors
/// When there is no such process.
pub fn usage(pid: u32) -> Result<Usage> {
    let read = |file: &str| {
        fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("could not look at process {pid}"))
    };
    let ticks = cpu_ticks(&read("stat")?).with_context(|| format!("process {pid} has an unknown `stat`"))?;
    let status = read("status")?;
    let memory = |key| kibibytes(&status, key).with_context(|| format!("process {pid} has no `{key}`"));
    Ok(Usage { cpu_s: seconds(ticks), rss_mib: memory("VmRSS:")? / 1_024.0, peak_rss_mib: memory("VmHWM:")? / 1_024.0 })
}

/// Reads what the machine has done.
///
/// # Errors
/// When `/proc/stat` is not Linux's.
pub fn busy() -> Result<Busy> {
    let stat = fs::read_to_string("/proc/stat").context("could not look at the machine")?;
    let ticks = machine_ticks(&stat).context("an unknown `/proc/stat`")?;
    Ok(Busy { busy_s: seconds(ticks.0), stolen_s: seconds(ticks.1) })
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ticks are millions of years")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Adds up user and system time, the process's own and its ended children's: fields 14 to 17 of proc_pid_stat(5).
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name, field 2, is in parentheses and may hold anything.
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').skip(11).take(4).map(|field| field.parse::<u64>().ok()).sum()
}

/// Adds up what is work, and reads what was stolen, from the first line of proc_stat(5).
fn machine_ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields.as_slice() else { return None };
    Some((user + nice + system + irq + softirq, *steal))
}

fn kibibytes(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_parentheses_in_its_name_is_read() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 50 7 2 1 20 0 1 0 100 1 1";
        assert_eq!(cpu_ticks(stat), Some(60));
    }

    #[test]
    fn the_machines_work_is_without_its_idle_time() {
        assert_eq!(machine_ticks("cpu  1 2 4 1000 1000 8 16 32 0 0\ncpu0 1"), Some((31, 32)));
        assert_eq!(machine_ticks("intr 5"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = usage(std::process::id()).expect("it exists");
        assert!(usage.rss_mib > 0.1 && usage.peak_rss_mib >= usage.rss_mib, "{usage:?}");
    }
}
