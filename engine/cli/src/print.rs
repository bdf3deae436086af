//! What several commands print: errors, JSON, columns, and how long something took.

use std::time::Duration;

use serde::Serialize;

/// Prints an error with its causes to stderr.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("weft: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// Prints a value as JSON, readable and complete.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows in aligned columns, the first row as their heads.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) {
    print!("{}", aligned(rows));
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A duration in the unit that suits it: `41 us`, `3.2 ms`, `1.5 s`, `5 min`, `2.0 h`, `3.0 d`.
pub(crate) fn duration(took: Duration) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match took.as_secs_f64() {
        0.0 => "0 ms".to_owned(),
        seconds if seconds < 0.001 => format!("{} us", took.as_micros()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(aligned(&[row("NAME", "STATUS"), row("größer", ""), row("b", "active")]), "NAME    STATUS\ngrößer\nb       active\n");
    }

    #[test]
    fn a_duration_is_shown_in_the_unit_that_suits_it() {
        for (micros, shown) in
            [(0, "0 ms"), (41, "41 us"), (3_200, "3.2 ms"), (1_500_000, "1.5 s"), (300_000_000, "5.0 min"), (7_200_000_000, "2.0 h")]
        {
            assert_eq!(duration(Duration::from_micros(micros)), shown);
        }
    }
}
