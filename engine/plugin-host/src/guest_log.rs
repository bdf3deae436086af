//! What a guest said: log lines and standard output, bounded and made harmless, and its last words before a trap.

use std::fmt::Write as _;

use weft_core::contract::{LogLevel, LogLine};

/// Bytes of a guest's last words that a fault quotes: a panic's message and place, not a novel.
const LAST_WORDS_BYTES_MAX: usize = 1024;

/// The log of one instance.
#[derive(Debug)]
pub(crate) struct GuestLog {
    lines: Vec<LogLine>,
    lines_max: usize,
    line_bytes_max: usize,
    left_out: u64,
    out: PartialLine,
    err: PartialLine,
    last_words: LastWords,
}

/// The two ways in which a program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, logged as information.
    Out,
    /// Standard error, logged as a warning; panics are printed there.
    Err,
}

impl GuestLog {
    /// An empty log that keeps `lines_max` lines of at most `line_bytes_max` bytes.
    pub(crate) fn new(lines_max: usize, line_bytes_max: usize) -> Self {
        Self {
            lines: Vec::new(),
            lines_max,
            line_bytes_max,
            left_out: 0,
            out: PartialLine::default(),
            err: PartialLine::default(),
            last_words: LastWords::default(),
        }
    }

    /// Keeps one line.
    pub(crate) fn line(&mut self, level: LogLevel, message: &str) {
        if level == LogLevel::Error {
            self.last_words.hear(message);
        }
        if self.lines.len() < self.lines_max {
            self.lines.push(LogLine { level, message: harmless(message, self.line_bytes_max) });
        } else {
            self.left_out += 1;
        }
    }

    /// Keeps what was printed, a line for each line of text.
    pub(crate) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let partial = self.partial(stream);
            partial.push(text);
            if ends {
                self.end_line(stream);
            }
        }
    }

    /// The panic's message and place if the guest panicked, else the last thing that it printed or logged as an error.
    pub(crate) fn last_words(&mut self) -> Option<&str> {
        self.end_line(Stream::Err);
        self.last_words.quote()
    }

    /// The kept lines, and one more that says how many were left out, if any were.
    pub(crate) fn into_lines(mut self) -> Vec<LogLine> {
        self.end_line(Stream::Out);
        self.end_line(Stream::Err);
        if self.left_out > 0 && self.lines_max > 0 {
            let message =
                format!("{} more lines were left out; the limit log_lines_max is {}", self.left_out, self.lines_max);
            self.lines.push(LogLine { level: LogLevel::Warn, message });
        }
        self.lines
    }

    fn partial(&mut self, stream: Stream) -> &mut PartialLine {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let bytes = std::mem::take(&mut self.partial(stream).bytes);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        match stream {
            Stream::Out => self.line(LogLevel::Info, text),
            Stream::Err => {
                self.last_words.hear(text);
                self.line(LogLevel::Warn, text);
            }
        }
    }
}

/// A line that has not ended; what is beyond any line's limit is dropped.
#[derive(Debug, Default)]
struct PartialLine {
    bytes: Vec<u8>,
}

impl PartialLine {
    /// Longer than any line that is kept (`log_line_bytes_max` is at most 64 KiB).
    const BYTES_MAX: usize = 64 * 1024;

    fn push(&mut self, text: &[u8]) {
        let room = Self::BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&text[..text.len().min(room)]);
    }
}

/// The latest complaint of a guest. A panic's lines belong together, and nothing after them but another panic counts.
#[derive(Debug, Default)]
struct LastWords {
    text: String,
    is_panic: bool,
}

impl LastWords {
    fn hear(&mut self, line: &str) {
        let begins_panic = line.contains("panicked at");
        // The hint about backtraces that Rust prints below a panic says nothing about the panic.
        if line.starts_with("note: ") {
            return;
        }
        if self.is_panic && !begins_panic {
            self.text.push(' ');
        } else {
            self.text.clear();
        }
        self.is_panic |= begins_panic;
        let room = LAST_WORDS_BYTES_MAX.saturating_sub(self.text.len());
        self.text.push_str(&harmless(line, room));
    }

    fn quote(&self) -> Option<&str> {
        let text = self.text.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// `text` for a terminal or a page: control characters and direction marks escaped, cut at a character before `bytes_max`.
pub(crate) fn harmless(text: &str, bytes_max: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let before = safe.len();
        if is_harmful(character) {
            write!(safe, "{}", character.escape_default()).expect("writing to a String cannot fail");
        } else {
            safe.push(character);
        }
        if safe.len() > bytes_max {
            safe.truncate(before);
            break;
        }
    }
    safe
}

/// Characters that move the cursor, start a line or reorder what is read.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(log: GuestLog) -> Vec<String> {
        log.into_lines().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn promise_5_a_log_keeps_so_many_lines_and_says_how_many_it_left_out() {
        let mut log = GuestLog::new(2, 8);
        for n in 0..5 {
            log.line(LogLevel::Info, &format!("line {n} is too long"));
        }
        assert_eq!(messages(log), ["line 0 i", "line 1 i", "3 more lines were left out; the limit log_lines_max is 2"]);
        let mut silent = GuestLog::new(0, 8);
        silent.line(LogLevel::Info, "x");
        assert!(messages(silent).is_empty());
    }

    #[test]
    fn promise_5_control_characters_reach_no_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\nc\u{202e}d", 100), "a\\u{1b}[31mb\\nc\\u{202e}d");
        assert_eq!(harmless("naïve", 3), "na", "a character is not cut in two");
        assert_eq!(harmless("a\n", 2), "a", "neither is an escape");
    }

    #[test]
    fn prints_are_lines_and_the_last_one_needs_no_end() {
        let mut log = GuestLog::new(9, 99);
        log.print(Stream::Out, b"one\ntw");
        log.print(Stream::Err, b"other\n");
        log.print(Stream::Out, b"o\n\nthree");
        assert_eq!(messages(log), ["one", "other", "two", "three"]);
    }

    #[test]
    fn a_panic_is_quoted_with_its_message_and_place_whatever_is_said_around_it() {
        let mut log = GuestLog::new(0, 99);
        log.line(LogLevel::Error, "before");
        assert_eq!(log.last_words(), Some("before"));
        log.print(
            Stream::Err,
            b"\nthread 'main' panicked at src/lib.rs:3:5:\nno such\tthing\nnote: run with RUST_BACKTRACE\n",
        );
        assert_eq!(log.last_words(), Some("thread 'main' panicked at src/lib.rs:3:5: no such\\tthing"));
    }

    #[test]
    fn promise_5_a_line_without_end_takes_no_more_memory_than_a_line() {
        let mut log = GuestLog::new(9, 10);
        for _ in 0..1000 {
            log.print(Stream::Out, &[b'x'; 4096]);
        }
        assert_eq!(log.out.bytes.len(), PartialLine::BYTES_MAX);
        assert_eq!(messages(log), ["xxxxxxxxxx"]);
    }
}
