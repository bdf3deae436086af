//! Sets of HTTP statuses, as a destination names them: `200`, `400-410` or `5xx`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What a receiver can answer with in the end; below lie interim answers.
const FINAL: RangeInclusive<u16> = 200..=599;

/// A range of statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

/// Why a text is not a [`StatusRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a status from 200 to 599, a range of them as in \"400-410\", or a class as in \"4xx\"")]
pub struct InvalidStatusRange(String);

impl StatusRange {
    /// Whether it holds this status.
    pub const fn contains(self, status: u16) -> bool {
        self.first <= status && status <= self.last
    }

    /// Whether some status is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl FromStr for StatusRange {
    type Err = InvalidStatusRange;

    fn from_str(text: &str) -> Result<Self, InvalidStatusRange> {
        read(text).ok_or_else(|| InvalidStatusRange(text.to_owned()))
    }
}

fn read(text: &str) -> Option<StatusRange> {
    if let Some(class) = text.strip_suffix("xx") {
        let first = status(&format!("{class}00"))?;
        return Some(StatusRange { first, last: first + 99 });
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = StatusRange { first: status(first)?, last: status(last)? };
    (range.first <= range.last).then_some(range)
}

fn status(text: &str) -> Option<u16> {
    // `parse` alone would take a sign and leading zeros.
    let is_plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|status| is_plain && FINAL.contains(status))
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        match last - first {
            0 => write!(f, "{first}"),
            99 if first % 100 == 0 => write!(f, "{}xx", first / 100),
            _ => write!(f, "{first}-{last}"),
        }
    }
}

/// A set of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Vec<StatusRange>);

impl Statuses {
    /// Every 2xx.
    pub fn successes() -> Self {
        Self(vec![StatusRange { first: 200, last: 299 }])
    }

    /// Whether it holds this status.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(status))
    }

    /// Whether some status is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().any(|range| other.0.iter().any(|other| range.meets(*other)))
    }
}

impl From<Vec<StatusRange>> for Statuses {
    fn from(ranges: Vec<StatusRange>) -> Self {
        Self(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(texts: &[&str]) -> Statuses {
        texts.iter().map(|text| text.parse().expect("a range")).collect::<Vec<StatusRange>>().into()
    }

    #[test]
    fn a_range_is_one_status_or_two_or_a_class() {
        for (text, inside, outside) in [
            ("409", [409, 409, 409], [408, 410]),
            ("400-410", [400, 405, 410], [399, 411]),
            ("4xx", [400, 450, 499], [399, 500]),
            ("200-299", [200, 250, 299], [199, 300]),
        ] {
            let set = statuses(&[text]);
            assert!(inside.iter().all(|status| set.contains(*status)), "{text}");
            assert!(!outside.iter().any(|status| set.contains(*status)), "{text}");
        }
        assert_eq!(statuses(&["200-299"]).0[0].to_string(), "2xx");
        assert_eq!(statuses(&["404"]).0[0].to_string(), "404");
        assert_eq!(statuses(&["400-410"]).0[0].to_string(), "400-410");
    }

    #[test]
    fn what_is_no_final_status_is_no_range() {
        for bad in
            ["", "xx", "1xx", "6xx", "44", "0404", "+404", "100", "600", "410-400", "400-", "-400", "4xx-5xx", "20x"]
        {
            assert!(bad.parse::<StatusRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn two_sets_meet_where_one_status_is_in_both() {
        assert!(statuses(&["2xx", "409"]).meets(&statuses(&["400-410"])));
        assert!(!statuses(&["2xx"]).meets(&statuses(&["4xx", "501"])));
        assert!(!Statuses::default().meets(&Statuses::successes()));
    }
}
