//! The Markdown of Adaptive Cards: what must be escaped in it, and where it may be cut.

/// Writes `value` at the end of `out` so that nothing in it is bold, italic or a link. Cards know no other inline markup:
/// <https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/text-features>.
pub(crate) fn push_escaped(out: &mut String, value: &str) {
    let mut written = 0;
    for (at, byte) in value.bytes().enumerate() {
        if matches!(byte, b'\\' | b'*' | b'_' | b'[' | b']') {
            out.push_str(&value[written..at]);
            out.push('\\');
            written = at;
        }
    }
    out.push_str(&value[written..]);
}

/// Cuts `text` to `chars_max` characters that take `bytes_max` bytes in a JSON string, its quotes not counted; the last
/// character is then an ellipsis. No escaped character is cut apart.
pub(crate) fn cut(text: &mut String, chars_max: usize, bytes_max: usize) {
    let (mut chars, mut bytes) = (0_usize, 0_usize);
    // Where the text ends if an ellipsis follows.
    let mut end = 0;
    for (at, c) in text.char_indices() {
        if chars < chars_max && bytes + '…'.len_utf8() <= bytes_max {
            end = at;
        }
        chars += 1;
        bytes += json_len(c);
        if chars > chars_max || bytes > bytes_max {
            let kept = &text[..end];
            let escapes = kept.len() - kept.trim_end_matches('\\').len();
            text.truncate(end - escapes % 2);
            text.push('…');
            return;
        }
    }
}

/// How many bytes a character takes in a JSON string.
fn json_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..' ' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_to(text: &str, chars_max: usize, bytes_max: usize) -> String {
        let mut cut = text.to_owned();
        super::cut(&mut cut, chars_max, bytes_max);
        let mut json = String::new();
        weft_plugin::json::push_string(&mut json, &cut);
        assert!(cut.chars().count() <= chars_max && json.len() - 2 <= bytes_max, "{json}");
        cut
    }

    #[test]
    fn what_a_card_takes_for_markup_is_escaped() {
        let mut out = String::from("*");
        push_escaped(&mut out, r"[a](b) **c** _d_ \e é");
        assert_eq!(out, r"*\[a\](b) \*\*c\*\* \_d\_ \\e é");
    }

    #[test]
    fn a_text_is_cut_by_its_characters_and_by_its_bytes_in_json() {
        assert_eq!(cut_to("日本語", 3, 9), "日本語");
        assert_eq!(cut_to("日本語", 2, 100), "日…");
        assert_eq!(cut_to("日本語", 100, 8), "日…");
        assert_eq!(cut_to("ab\n\n\n", 100, 7), "ab\n…");
        assert_eq!(cut_to("\u{1}\u{1}", 100, 9), "\u{1}…");
        assert_eq!(cut_to("abc", 1, 100), "…");
        assert_eq!(cut_to("", 1, 0), "");
        for bytes_max in 3..40 {
            cut_to("a\"b\\\\é\n日😀\u{2}\t\"\"\"xyz", 100, bytes_max);
        }
    }

    #[test]
    fn no_escaped_character_is_cut_apart() {
        assert_eq!(cut_to(r"ab\*cd", 4, 100), "ab…");
        assert_eq!(cut_to(r"ab\*cd", 5, 100), r"ab\*…");
        assert_eq!(cut_to(r"a\\bcd", 4, 100), r"a\\…");
        assert_eq!(cut_to(r"a\\\*c", 5, 100), r"a\\…");
    }
}
