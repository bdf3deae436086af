//! Latencies, summed up.

use serde::{Deserialize, Serialize};

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten were faster.
    pub p90: f64,
    /// 99 in 100 were faster.
    pub p99: f64,
    /// 999 in 1000 were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Quantiles {
    /// Sums up latencies in microseconds, putting them in order; `None` if there are none.
    #[must_use]
    pub fn of(latencies_us: &mut [u32]) -> Option<Self> {
        latencies_us.sort_unstable();
        let last = latencies_us.len().checked_sub(1)?;
        let at = |per_mille: usize| f64::from(latencies_us[(last * per_mille + 500) / 1_000]) / 1_000.0;
        Some(Self { p50: at(500), p90: at(900), p99: at(990), p999: at(999), max: at(1_000) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds_and_need_no_order() {
        let mut latencies: Vec<u32> = (1..=1_001).rev().map(|n| n * 1_000).collect();
        let expected = Quantiles { p50: 501.0, p90: 901.0, p99: 991.0, p999: 1_000.0, max: 1_001.0 };
        assert_eq!(Quantiles::of(&mut latencies), Some(expected));
        assert_eq!(Quantiles::of(&mut []), None);
    }
}
