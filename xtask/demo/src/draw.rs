//! Drawing events: the same seed gives the same events, byte for byte.

use anyhow::{Context, Result};
use fastrand::Rng;

use crate::payload;
use crate::sample::{Change, Sample, TypeIn};

/// An event to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DrawnEvent {
    pub(crate) tenant: String,
    pub(crate) event_type: String,
    pub(crate) type_in: TypeIn,
    pub(crate) body: String,
}

/// Draws `count` events of these samples.
///
/// # Errors
/// When a sample names a place that its payload does not have, or there is none to draw from.
pub(crate) fn draw(samples: &[Sample], count: usize, seed: u64) -> Result<Vec<DrawnEvent>> {
    let mut dice = Dice { rng: Rng::with_seed(seed), ids: 0, seed };
    (0..count).map(|_| dice.event(samples)).collect()
}

struct Dice {
    rng: Rng,
    /// How many ids were made.
    ids: u64,
    seed: u64,
}

impl Dice {
    fn event(&mut self, samples: &[Sample]) -> Result<DrawnEvent> {
        let weights: u32 = samples.iter().map(|sample| sample.weight).sum();
        anyhow::ensure!(weights > 0, "no sample has a weight");
        let mut place = self.rng.u32(0..weights);
        let heavier = |sample: &&Sample| {
            let found = place < sample.weight;
            place = place.saturating_sub(sample.weight);
            found
        };
        let sample = samples.iter().find(heavier).context("the place is below the sum of the weights")?;
        let mut body = sample.payload.clone();
        for mutation in &sample.mutate {
            body = payload::replace(&body, &mutation.pointer, &mut |old| self.change(&mutation.change, old))
                .with_context(|| format!("could not change {}", sample.file))?;
        }
        Ok(DrawnEvent {
            tenant: sample.tenant.clone(),
            event_type: sample.event_type.clone(),
            type_in: sample.type_in,
            body,
        })
    }

    fn change(&mut self, change: &Change, old: &str) -> Result<String> {
        match change {
            Change::Id { prefix } => Ok(serde_json::to_string(&format!("{prefix}{:016x}", self.fresh_id()))?),
            Change::Number { min, max, decimals } => {
                let scale = 10_i64.checked_pow(*decimals).context("too many decimals")?;
                let bound = |bound: i64| bound.checked_mul(scale).context("too big a number");
                Ok(decimal(self.rng.i64(bound(*min)?..=bound(*max)?), *decimals))
            }
            Change::OneOf { values } => Ok(self.rng.choice(values).context("no value to choose from")?.to_string()),
            Change::Items { min, max } => {
                let known = payload::elements(old)?;
                let count = self.rng.usize(*min..=*max);
                Ok(payload::array(&known.into_iter().cycle().take(count).collect::<Vec<_>>()))
            }
        }
    }

    /// A number that this seed gives once: multiplying by an odd number maps no two counts to one place.
    fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        // 2^64 divided by the golden ratio spreads neighbours as far apart as can be.
        self.ids.wrapping_add(self.seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// `units` counts the last of `decimals` decimals: 1250 with 2 is `12.50`.
fn decimal(units: i64, decimals: u32) -> String {
    if decimals == 0 {
        return units.to_string();
    }
    let scale = 10_u64.pow(decimals);
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
    format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::sample;

    fn quickstart() -> Vec<Sample> {
        sample::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart/events")).expect("samples")
    }

    #[test]
    fn a_seed_gives_the_same_events_each_time_and_another_seed_others() {
        let samples = quickstart();
        let first = draw(&samples, 300, 1).expect("drawn");
        assert_eq!(first, draw(&samples, 300, 1).expect("drawn"));
        assert_ne!(first, draw(&samples, 300, 2).expect("drawn"));
        assert_eq!(
            first[..100],
            draw(&samples, 100, 1).expect("drawn"),
            "a shorter draw is the beginning of a longer one"
        );
    }

    #[test]
    fn drawn_events_are_json_of_at_most_twenty_kilobytes_from_both_tenants_and_all_kinds() {
        let samples = quickstart();
        let events = draw(&samples, 3000, 1).expect("drawn");
        for event in &events {
            assert!((400..=20_000).contains(&event.body.len()), "{}: {}", event.event_type, event.body.len());
            serde_json::from_str::<Value>(&event.body).expect("JSON");
        }
        let kinds: BTreeSet<_> = events.iter().map(|event| (&event.tenant, &event.event_type)).collect();
        assert_eq!(kinds.len(), samples.len());
    }

    #[test]
    fn no_id_comes_twice() {
        let mut dice = Dice { rng: Rng::with_seed(1), ids: 0, seed: 1 };
        let ids: BTreeSet<_> = (0..10_000).map(|_| dice.fresh_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn numbers_have_exactly_the_decimals_asked_for() {
        assert_eq!(decimal(1250, 2), "12.50");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(7, 0), "7");
    }
}
