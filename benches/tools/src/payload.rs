//! The payload of every measurement: JSON as a shop would send it, of an exact size, with what the sink reads back.

use std::fmt::Write;

/// What the sink finds in a payload that came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When the payload was made, in nanoseconds since 1970.
    pub created_ns: u64,
    /// Its place in the load, from 0.
    pub sequence: u64,
}

/// Makes the payload that carries `mark`, padded to `size` bytes; a size below the unpadded one is not reached.
#[must_use]
pub fn payload(mark: Mark, size: usize) -> String {
    let Mark { created_ns, sequence } = mark;
    let (account, total) = (sequence % 1_000, sequence % 500);
    let mut json = String::with_capacity(size.max(1_024));
    let written = write!(
        json,
        concat!(
            r#"{{"created_ns":{created_ns},"sequence":{sequence},"type":"order.created","version":3,"#,
            r#""account":{{"id":"acc_{account:06}","plan":"team","region":"eu-west","active":true}},"#,
            r#""order":{{"number":{sequence},"currency":"EUR","total":{total}.45,"tax":{account}.5,"paid":false,"#,
            r#""lines":[{{"sku":"A-{account}","quantity":2,"price":19.9}},{{"sku":"B-77","quantity":1,"price":5.25}},"#,
            r#"{{"sku":"C-102","quantity":10,"price":0.75}}],"note":null}},"#,
            r#""customer":{{"name":"Zoë Example","email":"zoe{account}@example.org","tags":["vip","newsletter"]}},"#,
            r#""origin":{{"ip":"192.0.2.17","agent":"bench/1.0"}},"padding":""#
        ),
        created_ns = created_ns,
        sequence = sequence,
        account = account,
        total = total,
    );
    written.expect("a string takes everything");
    let padding = size.saturating_sub(json.len() + 2);
    json.extend(std::iter::repeat_n('x', padding));
    json.push_str("\"}");
    json
}

/// Reads the mark of a payload without parsing it: both numbers stand at its beginning.
#[must_use]
pub fn read_mark(body: &[u8]) -> Option<Mark> {
    let created_ns = number_after(body, b"\"created_ns\":")?;
    Some(Mark { created_ns, sequence: number_after(body, b"\"sequence\":")? })
}

fn number_after(body: &[u8], key: &[u8]) -> Option<u64> {
    let at = body.windows(key.len()).position(|window| window == key)? + key.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { created_ns: 1_767_225_600_000_000_123, sequence: 4_711 };

    #[test]
    fn a_payload_is_json_of_the_exact_size() {
        let text = payload(MARK, 1_024);
        assert_eq!(text.len(), 1_024);
        let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(parsed["type"], "order.created");
        assert_eq!(parsed["order"]["number"], 4_711);
    }

    #[test]
    fn the_mark_comes_back_from_a_payload() {
        assert_eq!(read_mark(payload(MARK, 1_024).as_bytes()), Some(MARK));
        assert_eq!(read_mark(br#"{"type":"order.created"}"#), None);
        assert_eq!(read_mark(br#"{"created_ns":7,"sequence":"#), None);
    }
}
