//! How far a long command has come, on stderr: a line that is drawn anew for a terminal, now and then a line for a log.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use weft_store::Progress;

use crate::print;

/// As often as an eye can follow.
const DRAWN_EVERY: Duration = Duration::from_millis(200);

/// Enough to see in a log that something still happens.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Bytes,
    /// Steps of which nobody wants to know the number.
    Steps,
}

/// Does `work` and shows how far it is: `doing` is what it does, as in `copying`.
pub(crate) async fn shown<T>(doing: &str, unit: Unit, progress: &Progress, work: impl Future<Output = T>) -> T {
    let is_terminal = io::stderr().is_terminal();
    let mut ticks = interval(if is_terminal { DRAWN_EVERY } else { LOGGED_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first comes at once, when there is nothing to be seen.
    ticks.tick().await;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => {
                if is_terminal {
                    clear();
                }
                return outcome;
            }
            _ = ticks.tick() => show(doing, unit, progress.read(), is_terminal),
        }
    }
}

fn show(doing: &str, unit: Unit, (done, whole): (u64, u64), is_terminal: bool) {
    let line = line(doing, unit, done, whole);
    if is_terminal {
        clear();
        let _ = write!(io::stderr(), "{line}");
    } else {
        print::say(&line);
    }
}

fn clear() {
    // Back to the first column, and nothing behind it.
    let _ = write!(io::stderr(), "\r\u{1b}[2K");
}

fn line(doing: &str, unit: Unit, done: u64, whole: u64) -> String {
    let per_cent = done.saturating_mul(100).checked_div(whole).map(|part| part.min(100));
    match (unit, per_cent) {
        (Unit::Bytes, Some(part)) => format!("{doing}: {} of {} ({part} %)", print::bytes(done), print::bytes(whole)),
        (Unit::Steps, Some(part)) => format!("{doing}: {part} %"),
        (Unit::Bytes | Unit::Steps, None) => format!("{doing}: looking at what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_of_what_is_done() {
        assert_eq!(line("copying", Unit::Bytes, 1_500, 6_000_000), "copying: 1.5 kB of 6.0 MB (0 %)");
        assert_eq!(line("moving", Unit::Steps, 41, 100), "moving: 41 %");
        assert_eq!(line("copying", Unit::Bytes, 0, 0), "copying: looking at what there is");
    }
}
