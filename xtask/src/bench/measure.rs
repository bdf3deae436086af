//! One run of a contender under a scenario's load, and two of them as a pair.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::contender::{Ground, Running};
use super::machine;
use super::programs::Server;
use super::scenario::{Contender, Receivers, Scenario};
use crate::command;

/// 2000: caches are warm, connections are open, the engine's threads have met their work.
const WARM_UP_EVENTS: u32 = 2_000;

/// A tenth of the CPU time there was: with more, others have measured themselves.
const OTHERS_SHARE_MAX: f64 = 0.1;

/// The reports on both contenders, run one after the other.
pub(super) struct Pair {
    pub(super) baseline: Value,
    pub(super) measured: Value,
}

impl Pair {
    pub(super) fn measure(ground: &Ground<'_>, sink: &Server, scenario: &Scenario) -> Result<Self> {
        let run = |contender: Contender| measure(ground, sink, scenario, contender).with_context(|| contender.name());
        Ok(Self { baseline: run(scenario.baseline)?, measured: run(scenario.measured)? })
    }

    /// Whether processes that do not belong to the bench had so much of the machine that the numbers are theirs.
    pub(super) fn is_noisy(&self) -> bool {
        [&self.baseline, &self.measured].into_iter().any(|report| {
            let number = |key: &str| report[key].as_f64().unwrap_or_default();
            number("others_cpu_s") > OTHERS_SHARE_MAX * machine::cpus() * number("whole_s")
        })
    }
}

fn measure(ground: &Ground<'_>, sink: &Server, scenario: &Scenario, contender: Contender) -> Result<Value> {
    let running = contender.start(ground)?;
    let receivers = contender.receivers().at(ground.scale);
    let load = |arguments: &[String]| {
        let mut loadgen = Command::new(&ground.programs.loadgen);
        address(&mut loadgen, &running, sink, receivers);
        let report = command::read(loadgen.args(arguments))?;
        whole(serde_json::from_str(&report).context("the load generator told no JSON")?)
    };
    load(&["--connections".into(), "16".into(), "--count".into(), WARM_UP_EVENTS.to_string()]).context("warm-up")?;
    let mut report = load(&scenario.load.arguments(ground.scale))?;
    report["start_s"] = running.start_s.into();
    report["store_mib"] = running.store_mib(ground)?.into();
    Ok(report)
}

/// Tells the load generator where events go, what arrives where, and whose CPU time and memory count.
fn address(loadgen: &mut Command, running: &Running, sink: &Server, receivers: Receivers) {
    loadgen.args(["--target", &running.address.to_string(), "--path", &running.path]);
    loadgen.args(running.headers.iter().flat_map(|header| ["--header", header]));
    loadgen.args(running.envelope.iter().flat_map(|envelope| ["--envelope", envelope]));
    for (name, pid) in running.processes.iter().chain([&("sink".to_owned(), sink.pid())]) {
        loadgen.args(["--process", &format!("{name}={pid}")]);
    }
    if receivers.measured() > 0 {
        loadgen.args(["--sink", &sink.address.to_string(), "--fan-out", &receivers.measured().to_string()]);
    }
    match receivers {
        Receivers::ByType { count, unmeasured, .. } => {
            loadgen.args(["--types", &count.to_string(), "--uncounted-types", &unmeasured.to_string()]);
        }
        Receivers::All(_) | Receivers::AllAndOne(..) => {}
    }
}

/// Lets a report through if nothing failed, everything arrived, and nothing twice: a rate of anything else means nothing.
fn whole(report: Value) -> Result<Value> {
    if report["failed"] != 0 {
        bail!("{} events were refused: {}", report["failed"], report["first_failure"]);
    }
    let arrival = &report["arrival"];
    if !arrival.is_null() && (arrival["received"] != arrival["wanted"] || arrival["duplicates"] != 0) {
        let (received, wanted, duplicates) = (&arrival["received"], &arrival["wanted"], &arrival["duplicates"]);
        bail!("{received} of {wanted} deliveries arrived, {duplicates} of them twice");
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_that_lost_or_doubled_a_delivery_is_an_error() {
        let run = |received: u32, duplicates: u32| {
            whole(json!({"failed": 0, "arrival": {"wanted": 10, "received": received, "duplicates": duplicates}}))
        };
        assert!(run(10, 0).is_ok());
        assert!(run(9, 0).is_err());
        assert!(run(10, 1).is_err());
        assert!(whole(json!({"failed": 1, "first_failure": "401", "arrival": null})).is_err());
        assert!(whole(json!({"failed": 0, "arrival": null})).is_ok());
    }

    #[test]
    fn a_run_beside_busy_neighbours_is_noisy() {
        let report = |others: f64| json!({"others_cpu_s": others, "whole_s": 10.0});
        let most = OTHERS_SHARE_MAX * machine::cpus() * 10.0;
        assert!(!Pair { baseline: report(0.0), measured: report(most) }.is_noisy());
        assert!(Pair { baseline: report(0.0), measured: report(most * 1.01) }.is_noisy());
    }
}
