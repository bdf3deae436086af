//! Numbers as written: compared digit by digit, so that nothing is rounded.

use std::cmp::Ordering;

/// A JSON number. `1`, `1.0` and `10e-1` are equal; 9007199254740993 and 9007199254740992 are not.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    negative: bool,
    /// All digits before and after the decimal point, without zeros at the two ends; empty for zero.
    digits: (&'a str, &'a str),
    /// The power of ten of the first digit, plus one.
    magnitude: i64,
}

impl<'a> Number<'a> {
    /// Reads a JSON number; `None` if the text is anything else, spaces around it included.
    pub fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if all_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        Some(Self::normal(text.len() > unsigned.len(), whole, fraction, exponent))
    }

    fn normal(negative: bool, whole: &'a str, fraction: &'a str, exponent: i64) -> Self {
        let whole = whole.trim_start_matches('0');
        let trailing = fraction.trim_end_matches('0');
        if whole.is_empty() {
            let digits = trailing.trim_start_matches('0');
            // 0.00x: each leading zero lowers the magnitude; a text is never longer than i64 can count.
            let zeros = i64::try_from(trailing.len() - digits.len()).unwrap_or(i64::MAX);
            let is_zero = digits.is_empty();
            let magnitude = if is_zero { 0 } else { exponent.saturating_sub(zeros) };
            return Self { negative: negative && !is_zero, digits: ("", digits), magnitude };
        }
        let magnitude = exponent.saturating_add(i64::try_from(whole.len()).unwrap_or(i64::MAX));
        let digits = if trailing.is_empty() { (whole.trim_end_matches('0'), "") } else { (whole, trailing) };
        Self { negative, digits, magnitude }
    }

    fn all(&self) -> impl Iterator<Item = u8> {
        self.digits.0.bytes().chain(self.digits.1.bytes())
    }

    fn is_zero(&self) -> bool {
        self.digits.0.is_empty() && self.digits.1.is_empty()
    }

    fn cmp_size(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.magnitude.cmp(&other.magnitude).then_with(|| self.all().cmp(other.all())),
        }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_size(other),
            (true, true) => other.cmp_size(self),
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number<'_> {}

/// The exponent; one too large to count is as large as can be counted.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !all_digits(digits) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -size } else { size })
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number<'_> {
        Number::parse(text).expect(text)
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        let groups: [&[&str]; 6] = [
            &["1", "1.0", "1.00", "10e-1", "0.1e1", "1E+0", "0.001e3"],
            &["0", "-0", "0.0", "0e9", "-0.00e-7", "0e999999999999999999999"],
            &["1200", "1.2e3", "12E2", "1200.000"],
            &["-0.05", "-5e-2", "-0.0500", "-50e-3"],
            &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
            &["1e400", "10e399", "0.1e401"],
        ];
        for group in groups {
            for pair in group.windows(2) {
                assert_eq!(number(pair[0]), number(pair[1]), "{pair:?}");
            }
        }
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        let ascending = [
            "-1e400",
            "-9007199254740993",
            "-9007199254740992",
            "-10",
            "-9.5",
            "-1",
            "-0.1",
            "-0.01",
            "0",
            "1e-400",
            "0.01",
            "0.0999",
            "0.1",
            "0.10000000000000000001",
            "1",
            "1.5",
            "9",
            "10",
            "10.01",
            "99",
            "100",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "1e400",
            "1e99999999999999999999",
        ];
        for (left_place, left) in ascending.iter().enumerate() {
            for (right_place, right) in ascending.iter().enumerate() {
                assert_eq!(number(left).cmp(&number(right)), left_place.cmp(&right_place), "{left} {right}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for bad in
            ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", " 1", "1 ", "NaN", "1_000", "1,5", "--1", "1e5.0"]
        {
            assert!(Number::parse(bad).is_none(), "{bad:?}");
        }
    }
}
