//! Durations as people write them: a whole number and a unit, `250ms`, `5s`, `10m` or `2h`.

use std::time::Duration;

use super::reader::Field;

/// What a duration may end in, and how many milliseconds it stands for. `ms` comes before `m` and `s`.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a duration; `None` if the text is none.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit_ms) = UNITS.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, *ms)))?;
    // `parse` alone would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit_ms).map(Duration::from_millis)
}

/// Writes a duration so that [`parse`] reads it back, in its largest whole unit.
pub(super) fn shown(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, unit_ms) =
        UNITS.iter().rev().find(|(_, unit)| ms.is_multiple_of(*unit) && ms >= *unit).unwrap_or(&("s", 1));
    format!("{}{unit}", ms / unit_ms)
}

/// Reads a list of waits, each at most `longest`.
pub(super) fn read_waits(field: Field<'_>, count_max: usize, longest: Duration) -> Vec<Duration> {
    let wait = |entry: Field<'_>| {
        let wait = entry.duration()?;
        if wait > longest {
            return entry.problem(format!("must be at most {}", shown(longest)));
        }
        Some(wait)
    };
    field.list(count_max).into_iter().filter_map(wait).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        for (text, ms) in [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("2h", 7_200_000), ("0s", 0)] {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "5", "s", "-5s", "+5s", "1.5s", "5 s", "5S", "5d", "99999999999999999999s", "9999999999999999h"]
        {
            let read = parse(bad);
            assert_eq!(read, None, "{bad}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_may_be_written() {
        for text in ["250ms", "5s", "90s", "10m", "2h", "168h", "0s"] {
            assert_eq!(parse(text).map(shown).as_deref(), Some(text));
        }
    }
}
