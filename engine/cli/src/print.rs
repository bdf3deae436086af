//! What commands print: text, JSON, columns, errors; and how durations and digests are shown.
//!
//! Nothing here panics when nobody reads on, as `println!` would.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;
use weft_client::ClientError;
use weft_client::wire::header;

/// Stdout took no more.
#[derive(Debug, thiserror::Error)]
#[error("could not write to stdout")]
pub(crate) struct OutputError(#[source] io::Error);

impl OutputError {
    /// Whether the reader has gone.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Prints what was asked for, as it is, to stdout.
///
/// # Errors
/// [`OutputError`].
pub(crate) fn out(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(OutputError)
}

/// Prints a value as JSON, readable and complete, to stdout.
///
/// # Errors
/// [`OutputError`].
pub(crate) fn json(value: &impl Serialize) -> Result<(), OutputError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| OutputError(error.into()))?;
    out(&format!("{text}\n"))
}

/// Says something beside the output, on stderr; whether anybody reads it does not matter.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error and what caused it, a line each; then what to type, where the engine speaks of a header.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = format!("weft: {error}");
    for cause in error.chain().skip(1) {
        // Writing into a string cannot fail.
        let _ = write!(text, "\n  because: {}", cause.to_string().replace('\n', "\n    "));
    }
    let problem = error.downcast_ref().and_then(ClientError::problem);
    if problem.is_some_and(|problem| problem.key.as_deref() == Some(header::TENANT)) {
        text.push_str("\n  here: --tenant NAME, or WEFT_TENANT");
    }
    text
}

/// Rows in aligned columns, below their heads.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<_> =
        std::iter::once(heads.map(str::to_owned)).chain(rows).map(|row| row.map(|cell| plain(&cell))).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One line of text that others wrote, with control characters made visible: it may reach a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, character| {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
        plain
    })
}

/// A duration in the unit that suits it: `41 µs`, `3.2 ms`, `1.5 s`, `5.0 min`, `2.0 h`, `3.0 d`.
pub(crate) fn duration(took: Duration) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match took.as_secs_f64() {
        0.0 => "0 ms".to_owned(),
        seconds if seconds < 0.001 => format!("{} µs", took.as_micros()),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1000.0),
        seconds if seconds < MINUTE => format!("{seconds:.1} s"),
        seconds if seconds < HOUR => format!("{:.1} min", seconds / MINUTE),
        seconds if seconds < DAY => format!("{:.1} h", seconds / HOUR),
        seconds => format!("{:.1} d", seconds / DAY),
    }
}

/// The first twelve digits of a digest, enough to tell versions apart.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A number of bytes in the unit that suits it: `0 B`, `1.5 kB`, `2.0 MB`, `31.2 GB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A number with its thousands apart, so that millions can be read: `12 345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 event`, `2 events`.
pub(crate) fn count(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use weft_client::wire::Problem;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let table = table(["NAME", "STATUS"], [row("größer", ""), row("b", "active")]);
        assert_eq!(table, "NAME    STATUS\ngrößer\nb       active\n");
    }

    #[test]
    fn text_of_others_cannot_steer_a_terminal() {
        assert_eq!(plain("no\u{1b}[2Jreason\n\u{9b}31m größer"), "no\\u{1b}[2Jreason\\n\\u{9b}31m größer");
        let row = ["\u{1b}]0;title\u{7}".to_owned()];
        assert!(!table(["REASON"], [row]).contains('\u{1b}'));
    }

    #[test]
    fn an_error_is_shown_with_all_its_causes() {
        let error = anyhow!("two lines\nof it").context("the store could not be read").context("no answer");
        let shown = "weft: no answer\n  because: the store could not be read\n  because: two lines\n    of it";
        assert_eq!(with_causes(&error), shown);
    }

    #[test]
    fn a_problem_with_a_header_is_told_in_the_words_of_the_command_line() {
        let problem = |key: &str| Problem { key: Some(key.to_owned()), ..Problem::default() };
        let shown = |key| with_causes(&anyhow!(ClientError::Refused(Box::new(problem(key)))));
        assert!(shown("weft-tenant").ends_with("\n  here: --tenant NAME, or WEFT_TENANT"));
        assert!(!shown("content-type").contains("--tenant"));
    }

    #[test]
    fn large_numbers_can_be_read() {
        let shown = [0, 999, 1_000, 1_550_000, 31_200_000_000, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.5 MB", "31.2 GB", "18446744.0 TB"]);
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1 000", "12 345 678"]);
    }

    #[test]
    fn a_duration_is_shown_in_the_unit_that_suits_it() {
        let shown = [
            (0, "0 ms"),
            (41, "41 µs"),
            (3_200, "3.2 ms"),
            (1_500_000, "1.5 s"),
            (300_000_000, "5.0 min"),
            (7_200_000_000, "2.0 h"),
            (259_200_000_000, "3.0 d"),
        ];
        for (micros, shown) in shown {
            assert_eq!(duration(Duration::from_micros(micros)), shown);
        }
    }
}
