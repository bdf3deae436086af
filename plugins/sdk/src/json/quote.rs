//! Texts as JSON strings.

/// Writes `text` at the end of `out` as a JSON string, with its quotes. Only what must be escaped is.
pub fn push_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "\\u00",
            _ => continue,
        };
        // All of these are ASCII, so the cuts lie between characters.
        out.push_str(&text[written..at]);
        out.push_str(escape);
        if escape == "\\u00" {
            out.push(if byte < 0x10 { '0' } else { '1' });
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
        }
        written = at + 1;
    }
    out.push_str(&text[written..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_read_back_is_the_same_and_only_what_must_be_is_escaped() {
        let controls: String = (0..=0x7f_u8).map(char::from).collect();
        for text in ["", "größe 日本 😀", "a\"b\\c", "\\", "\n", "\u{2028}/", controls.as_str()] {
            let mut out = String::from("[");
            push_string(&mut out, text);
            out.push(']');
            let back: Vec<String> = serde_json::from_str(&out).expect(&out);
            assert_eq!(back, [text]);
        }
        let mut out = String::new();
        push_string(&mut out, "größe/\u{7f} \"\n\u{1f}");
        assert_eq!(out, "\"größe/\u{7f} \\\"\\n\\u001f\"");
    }
}
