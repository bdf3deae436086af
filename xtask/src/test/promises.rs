//! The table from each promise to the tests that guard it.

use super::tally::{Tally, TestEnding};

/// The promises by number, from 1.
const PROMISES: [&str; 9] = [
    "acknowledged is stored",
    "nothing vanishes",
    "at least once, one identity",
    "order on request",
    "a plugin cannot do harm",
    "change without restart, without loss",
    "neighbours do not feel each other",
    "nobody gets in",
    "everything can be explained",
];

/// Prints every promise with its tests; nothing at all if the run had none of them.
pub(super) fn print(tally: &Tally) {
    if tally.promises.is_empty() {
        return;
    }
    println!("\n  promise → tests");
    for (number, promise) in (1..).zip(PROMISES) {
        let mut tests: Vec<_> = tally.promises.iter().filter(|test| test.promise == number).collect();
        tests.sort_by(|one, other| one.name.cmp(&other.name));
        println!(
            "  {number}. {promise}: {}",
            if tests.is_empty() { "no test".into() } else { tests.len().to_string() }
        );
        for test in tests {
            let sign = match test.ending {
                TestEnding::Passed => "ok    ",
                TestEnding::Failed => "FAILED",
                TestEnding::Ignored => "left  ",
            };
            let prefix = format!("promise_{number}_");
            println!("       {sign}  {}", test.name.trim_start_matches(&prefix).replace('_', " "));
        }
    }
}
