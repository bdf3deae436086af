//! The line that tells how far the demo is.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::clock::Stopwatch;

/// Between two states of the line on a terminal: more often than an eye can follow is of no use.
const TERMINAL_EVERY: Duration = Duration::from_millis(100);

/// Between two lines where nobody watches: a log wants few of them.
const LOG_EVERY: Duration = Duration::from_secs(3);

/// One line that is written over on a terminal; elsewhere a line now and then.
pub(crate) struct Progress {
    is_terminal: bool,
    last: Option<Stopwatch>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal(), last: None }
    }

    /// Shows `line`, if it is time to.
    pub(crate) fn show(&mut self, line: &str) {
        let every = if self.is_terminal { TERMINAL_EVERY } else { LOG_EVERY };
        if self.last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last = Some(Stopwatch::start());
        let mut stdout = std::io::stdout().lock();
        // A closed terminal is no reason to stop the work.
        let _ = match self.is_terminal {
            true => write!(stdout, "\r\x1b[2K  {line}").and_then(|()| stdout.flush()),
            false => writeln!(stdout, "  {line}"),
        };
    }

    /// Leaves `line` standing.
    pub(crate) fn keep(&mut self, line: &str) {
        let mut stdout = std::io::stdout().lock();
        let over = if self.is_terminal { "\r\x1b[2K" } else { "" };
        // As above.
        let _ = writeln!(stdout, "{over}  {line}");
        self.last = Some(Stopwatch::start());
    }
}

/// A number with a space between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
