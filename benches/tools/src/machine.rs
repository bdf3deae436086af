//! What Linux tells about processes and the whole machine, from `/proc`.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, bail};

/// What a process and its children have used since they began, children that have ended included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// CPU time in seconds, user and system.
    pub cpu_s: f64,
    /// Memory at this moment, in MiB; pages that several processes share count once.
    pub pss_mib: f64,
    /// The most resident memory that the process by itself ever had.
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

/// Reads the usage of a process and of everything that it has started: a database's work is done by its children.
///
/// # Errors
/// When there is no such process.
pub fn usage(pid: u32) -> Result<Usage> {
    let running = running()?;
    if !running.contains_key(&pid) {
        bail!("there is no process {pid}");
    }
    let family = family(pid, &running);
    let ticks = family.iter().filter_map(|member| running.get(member)).map(|process| process.ticks).sum();
    // A child may end while it is looked at.
    let pss_kib: f64 = family.iter().filter_map(|member| value(*member, "smaps_rollup", "Pss:")).sum();
    let peak_kib = value(pid, "status", "VmHWM:").with_context(|| format!("process {pid} has no `VmHWM`"))?;
    Ok(Usage { cpu_s: seconds(ticks), pss_mib: pss_kib / 1_024.0, peak_rss_mib: peak_kib / 1_024.0 })
}

/// What `/proc/<pid>/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Process {
    parent: u32,
    /// CPU time, ended children's included.
    ticks: u64,
}

/// All processes of this moment.
fn running() -> Result<HashMap<u32, Process>> {
    let entries = fs::read_dir("/proc").context("could not look at the processes")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(|pid: u32| Some((pid, process(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect())
}

/// A process with its children and theirs.
fn family(pid: u32, running: &HashMap<u32, Process>) -> Vec<u32> {
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(&member) = family.get(at) {
        family.extend(running.iter().filter(|(_, process)| process.parent == member).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// The value of `key` in a file of a process, in kibibytes.
fn value(pid: u32, file: &str, key: &str) -> Option<f64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?, key)
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

/// Reads proc_pid_stat(5): the parent is field 4, user and system time, own and ended children's, are fields 14 to 17.
fn process(stat: &str) -> Option<Process> {
    // The name, field 2, is in parentheses and may hold anything.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let times = fields.get(11..15)?;
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        ticks: times.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?,
    })
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
        assert_eq!(process(stat), Some(Process { parent: 1, ticks: 60 }));
    }

    #[test]
    fn the_machines_work_is_without_its_idle_time() {
        assert_eq!(machine_ticks("cpu  1 2 4 1000 1000 8 16 32 0 0\ncpu0 1"), Some((31, 32)));
        assert_eq!(machine_ticks("intr 5"), None);
    }

    #[test]
    fn a_family_is_a_process_with_its_children_and_theirs() {
        let of = |parent| Process { parent, ticks: 0 };
        let running = HashMap::from([(1, of(0)), (7, of(1)), (8, of(7)), (9, of(8)), (10, of(1))]);
        let mut family = family(7, &running);
        family.sort_unstable();
        assert_eq!(family, [7, 8, 9]);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = usage(std::process::id()).expect("it exists");
        assert!(usage.pss_mib > 0.1 && usage.peak_rss_mib > 0.1, "{usage:?}");
    }
}
