//! Slack's text format: what must be escaped in it, and where it may be cut.

/// What stands for the characters that Slack takes for markup: <https://docs.slack.dev/messaging/formatting-message-text>.
const ENTITIES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];

/// Writes `value` at the end of `out` so that nothing in it is a link, a mention or a channel.
pub(crate) fn push_escaped(out: &mut String, value: &str) {
    let [amp, lt, gt] = ENTITIES;
    let mut written = 0;
    for (at, byte) in value.bytes().enumerate() {
        let entity = match byte {
            b'&' => amp,
            b'<' => lt,
            b'>' => gt,
            _ => continue,
        };
        out.push_str(&value[written..at]);
        out.push_str(entity);
        written = at + 1;
    }
    out.push_str(&value[written..]);
}

/// Cuts `text` to `chars_max` characters, the last of which is then an ellipsis. Neither an entity nor a link is cut apart.
pub(crate) fn cut(text: &mut String, chars_max: usize) {
    let mut starts = text.char_indices().map(|(at, _)| at).skip(chars_max.saturating_sub(1));
    let (Some(end), Some(_)) = (starts.next(), starts.next()) else { return };
    let end = text[..end].rfind('&').filter(|at| is_entity_across(text, *at, end)).unwrap_or(end);
    let end = text[..end].rfind('<').filter(|at| is_link_across(text, *at, end)).unwrap_or(end);
    text.truncate(end);
    text.push('…');
}

/// Whether an entity begins at `at` and goes on behind `end`.
fn is_entity_across(text: &str, at: usize, end: usize) -> bool {
    ENTITIES.iter().any(|entity| text[at..].starts_with(entity) && at + entity.len() > end)
}

/// Whether a link or a mention begins at `at` and ends behind `end`; values have no `<`, so the template wrote it.
fn is_link_across(text: &str, at: usize, end: usize) -> bool {
    !text[at..end].contains('>') && text[end..].contains('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_to(text: &str, chars_max: usize) -> String {
        let mut cut = text.to_owned();
        super::cut(&mut cut, chars_max);
        assert!(cut.chars().count() <= chars_max, "{cut:?}");
        cut
    }

    #[test]
    fn what_slack_takes_for_markup_is_escaped_once() {
        let mut out = String::from("<");
        push_escaped(&mut out, "<!channel> & <@U1|é> &amp;");
        assert_eq!(out, "<&lt;!channel&gt; &amp; &lt;@U1|é&gt; &amp;amp;");
    }

    #[test]
    fn a_text_is_cut_between_characters_and_ends_with_an_ellipsis() {
        assert_eq!(cut_to("日本語", 3), "日本語");
        assert_eq!(cut_to("日本語!", 3), "日本…");
        assert_eq!(cut_to("abc", 1), "…");
        assert_eq!(cut_to("a", 1), "a");
        assert_eq!(cut_to("", 1), "");
    }

    #[test]
    fn neither_an_entity_nor_a_link_is_cut_apart() {
        for chars_max in 4..=7 {
            assert_eq!(cut_to("ab &amp; cd", chars_max), "ab …");
        }
        assert_eq!(cut_to("ab &amp; cd", 9), "ab &amp;…");
        assert_eq!(cut_to("R&D &lt;", 7), "R&D …");
        for chars_max in 4..=16 {
            assert_eq!(cut_to("ab <https://a|b&amp;> cd", chars_max), "ab …", "{chars_max}");
        }
        assert_eq!(cut_to("a < b and so on", 8), "a < b a…", "no link: it has no end");
        assert_eq!(cut_to("<a> <b> <c>", 8), "<a> <b>…");
    }
}
