//! The times of events as numbers.

/// Milliseconds since the beginning of 1970 of a time as events have it in `received_at`: `2026-01-31T12:00:00.000Z`. `None` for a text
/// of another form.
pub fn unix_ms(rfc3339: &str) -> Option<i64> {
    let text = rfc3339.as_bytes();
    let form = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if text.len() != form.len() || !text.iter().zip(form).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| rfc3339[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000 + number(20, 23)?)
}

/// Days since the beginning of 1970, by the calendar in use (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the day that some years have more is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_number_that_date_says() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2026-03-01T00:00:00.001Z", 1_772_323_200_001),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
        ] {
            assert_eq!(unix_ms(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_has_another_form_is_no_time() {
        for text in ["", "2026-03-01", "2026-03-01T00:00:00Z", "2026-13-01T00:00:00.000Z", "2026-03-01T00:00:00.000+1"]
        {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }
}
