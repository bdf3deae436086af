//! Replacing a plugin's component on disk while events flow, and what the traces tell of it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use weft_client::Client;
use weft_core::digest::Digest;

use crate::clock::Stopwatch;
use crate::compare::Count;
use crate::engine::ASK_EVERY;
use crate::progress::grouped;
use crate::stage::{REPLACED, Stage};
use crate::traces::{Handled, Stamped, Traces};

/// 20 s: a component of this size compiles in less than one.
const ACTIVE_MAX: Duration = Duration::from_secs(20);

/// What the two versions write into every event.
const STAMP_BEFORE: &str = "1";
const STAMP_AFTER: &str = "2";

/// A plugin's version that another one took the place of.
#[derive(Debug)]
pub(crate) struct Replacement {
    before: Digest,
    after: Digest,
    /// From the moment the file was in place until the engine ran it.
    took: Duration,
}

impl Replacement {
    /// Replaces the component on disk and waits until the engine runs it.
    ///
    /// # Errors
    /// When the file cannot be replaced, or the engine does not take it.
    pub(crate) async fn make(stage: &Stage, operator: &Client) -> Result<Self> {
        let before = active(operator).await?;
        let watch = Stopwatch::start();
        let after = stage.replace_plugin()?;
        loop {
            let active = active(operator).await?;
            if active == after {
                return Ok(Self { before, after, took: watch.elapsed() });
            }
            if watch.elapsed() > ACTIVE_MAX {
                let seconds = ACTIVE_MAX.as_secs();
                bail!("the engine still runs {REPLACED} {active}, {seconds} s after its file was replaced by {after}");
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// What has happened, in a line.
    pub(crate) fn line(&self) -> String {
        let (before, after) = (self.before.short(), self.after.short());
        format!("{REPLACED}.wasm replaced on disk, {before} by {after}: active after {} ms", self.took.as_millis())
    }

    /// What the traces tell: how many events met which version, and the first that met the second one.
    pub(crate) fn told(&self, traces: &Traces) -> String {
        let events = |handled: Option<&Handled>| grouped(handled.map_or(0, |handled| handled.events));
        let (before, after) = (self.handled_before(traces), self.handled_after(traces));
        let first = after.map_or("none", |handled| handled.first_event.as_str());
        format!(
            "{REPLACED}: {} events met {}, {} met {}\n  the first of these, by its trace: {first}\n  which ran on {}",
            events(before),
            self.before.short(),
            events(after),
            self.after.short(),
            self.after
        )
    }

    /// Every event met one of the two versions and bears its stamp, and each version some events.
    pub(crate) fn counts(&self, traces: &Traces, events: u64) -> Vec<Count> {
        let of = |handled: Option<&Handled>| handled.map_or(0, |handled| handled.events);
        let (before, after) = (of(self.handled_before(traces)), of(self.handled_after(traces)));
        let none = |count| u64::from(count == 0);
        vec![
            Count::new(format!("{REPLACED}: events that met one of its two versions"), before + after, events),
            Count::new(format!("{REPLACED}: versions that met no event"), none(before) + none(after), 0),
            Count::new(format!("{REPLACED}: versions that should not run"), traces.stamps.len() as u64, 2),
        ]
    }

    fn handled_before<'a>(&self, traces: &'a Traces) -> Option<&'a Handled> {
        handled(traces, self.before, STAMP_BEFORE)
    }

    fn handled_after<'a>(&self, traces: &'a Traces) -> Option<&'a Handled> {
        handled(traces, self.after, STAMP_AFTER)
    }
}

fn handled<'a>(traces: &'a Traces, version: Digest, stamp: &str) -> Option<&'a Handled> {
    traces.stamps.get(&Stamped { version: version.to_string(), stamp: stamp.to_owned() })
}

/// The plugin's active version.
async fn active(operator: &Client) -> Result<Digest> {
    let plugins = operator.plugins().await.context("could not list the plugins")?.plugins;
    let plugin = plugins.into_iter().find(|plugin| plugin.tenant.is_none() && plugin.name == REPLACED);
    let active = plugin.and_then(|plugin| plugin.active);
    active.with_context(|| format!("the engine has no active {REPLACED}"))?.parse().context("the active version")
}

#[cfg(test)]
mod tests {
    use weft_core::time::Timestamp;

    use super::*;

    fn replacement() -> Replacement {
        Replacement { before: Digest::of(b"1"), after: Digest::of(b"2"), took: Duration::from_millis(7) }
    }

    fn stamped(version: &[u8], stamp: &str, events: u64) -> (Stamped, Handled) {
        let first_event = format!("evt_{stamp}");
        let stamped = Stamped { version: Digest::of(version).to_string(), stamp: stamp.to_owned() };
        (stamped, Handled { events, first: Timestamp::from_ms(1), first_event })
    }

    fn off(traces: &Traces) -> usize {
        replacement().counts(traces, 7).iter().filter(|count| count.is_off()).count()
    }

    #[test]
    fn every_event_must_meet_one_of_the_two_versions_and_bear_its_stamp() {
        let traces = |stamps: [_; 2]| Traces { stamps: stamps.into(), ..Traces::default() };
        assert_eq!(off(&traces([stamped(b"1", "1", 4), stamped(b"2", "2", 3)])), 0);
        assert!(off(&traces([stamped(b"1", "1", 4), stamped(b"2", "2", 2)])) > 0, "one met none");
        assert!(off(&traces([stamped(b"1", "1", 4), stamped(b"2", "1", 3)])) > 0, "a wrong stamp");
        assert!(off(&traces([stamped(b"1", "1", 7), stamped(b"3", "1", 0)])) > 0, "another version");
    }

    #[test]
    fn the_first_event_of_the_second_version_is_named_with_its_digest() {
        let traces = Traces { stamps: [stamped(b"1", "1", 4), stamped(b"2", "2", 3)].into(), ..Traces::default() };
        let told = replacement().told(&traces);
        assert!(told.contains("evt_2") && told.contains(&Digest::of(b"2").to_string()), "{told}");
    }
}
