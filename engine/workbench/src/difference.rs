//! How two outcomes differ, for people.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Lines around a difference.
const CONTEXT_LINES: usize = 3;

/// The lines in which two outcomes differ, with some around them: `-` is expected, `+` is what came; `None` if they are equal.
pub fn difference(expected: &Value, got: &Value) -> Option<String> {
    if expected == got {
        return None;
    }
    let pretty = |value: &Value| format!("{value:#}\n");
    let (expected, got) = (pretty(expected), pretty(got));
    let diff = TextDiff::from_lines(&expected, &got);
    let mut text = String::new();
    for (place, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if place > 0 {
            text.push_str("  …\n");
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
                ChangeTag::Equal => "  ",
            };
            text.extend([sign, change.value()]);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_shows_what_was_expected_and_what_came() {
        let expected = json!({"outcome": "outputs", "outputs": [{"data": {"total": 1}, "type": "a"}]});
        let got = json!({"outcome": "outputs", "outputs": [{"data": {"total": 2}, "type": "a"}]});
        let difference = difference(&expected, &got).expect("one line");
        assert!(difference.contains("-         \"total\": 1\n+         \"total\": 2\n"), "{difference}");
        assert!(difference.contains("      \"type\": \"a\"\n"), "{difference}");
    }

    #[test]
    fn equal_outcomes_do_not_differ() {
        assert_eq!(difference(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})), None);
    }
}
