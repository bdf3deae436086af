//! A transform that uses everything a step may grant, as its configuration says: `{"do": "set seen 1 60; get seen; now"}`.
//!
//! Calls are separated by `;`, their arguments by a space. Each answer becomes an attribute, `1` for the first
//! call's; `TYPE` stands for the event's type.
//!
//! | call | answer |
//! |---|---|
//! | `get KEY` | the value, or `nothing` |
//! | `set KEY VALUE [SECONDS]`, `fill KEY BYTES` | `ok`, or why not |
//! | `add KEY` | the number under the key, which is one more now |
//! | `delete KEY` | `ok` |
//! | `now`, `ms` | the time |
//! | `random BYTES` | in hexadecimal |
//! | `count NAME DELTA` | `ok` |
//! | `hmac SECRET TEXT`, `reveal SECRET` | in hexadecimal, or the text, or why not |

use exports::weft::plugin::transform::Guest;
use weft::plugin::types::{Event, Failure, Header, Outputs, Patch};
use weft::plugin::{clock, config, kv, metrics, random, secrets};

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package weft:borrower;

        world borrower {
            include weft:plugin/transform-plugin@0.2.0;
            import weft:plugin/kv@0.2.0;
            import weft:plugin/clock@0.2.0;
            import weft:plugin/random@0.2.0;
            import weft:plugin/metrics@0.2.0;
            import weft:plugin/secrets@0.2.0;
        }
    ",
    world: "weft:borrower/borrower",
    generate_all,
});

struct Borrower;

export!(Borrower);

impl Guest for Borrower {
    fn transform(event: Event) -> Result<Outputs, Failure> {
        let config = config::get();
        let calls = config.rsplit('"').nth(1).unwrap_or_default().replace("TYPE", &event.event_type);
        let answers = calls.split(';').map(|call| answer(call.trim()));
        let set_attributes =
            (1..).zip(answers).map(|(n, value)| Header { name: n.to_string(), value }).collect::<Vec<_>>();
        if set_attributes.iter().any(|answer| answer.value == "stop") {
            return Ok(Outputs::Drop("told to stop".to_owned()));
        }
        Ok(Outputs::Events(vec![Patch {
            event_type: None,
            content_type: None,
            ordering_key: None,
            data: None,
            set_headers: Vec::new(),
            remove_headers: Vec::new(),
            set_attributes,
        }]))
    }
}

fn answer(call: &str) -> String {
    let words: Vec<_> = call.split(' ').collect();
    match *words {
        ["get", key] => read(key).unwrap_or_else(|| "nothing".to_owned()),
        ["set", key, value] => kept(kv::set(key, value.as_bytes(), None)),
        ["set", key, value, seconds] => kept(kv::set(key, value.as_bytes(), Some(number(seconds)))),
        ["fill", key, bytes] => kept(kv::set(key, &vec![b'x'; number(bytes) as usize], None)),
        ["add", key] => {
            let next = read(key).map_or(0, |value| number(&value)) + 1;
            match kv::set(key, next.to_string().as_bytes(), None) {
                Ok(()) => next.to_string(),
                refused => kept(refused),
            }
        }
        ["delete", key] => {
            kv::delete(key);
            "ok".to_owned()
        }
        ["now"] => clock::now(),
        ["ms"] => clock::unix_ms().to_string(),
        ["random", bytes] => hex(&random::bytes(number(bytes))),
        ["count", name, delta] => {
            metrics::count(name, number(delta));
            "ok".to_owned()
        }
        ["hmac", name, text] => {
            secrets::hmac_sha256(name, text.as_bytes()).map_or_else(|why| why.name().to_owned(), |mac| hex(&mac))
        }
        ["reveal", name] => secrets::reveal(name).unwrap_or_else(|why| why.name().to_owned()),
        ["stop"] => "stop".to_owned(),
        ["panic"] => panic!("told to"),
        [word, ..] => panic!("no such call: {word}"),
        [] => String::new(),
    }
}

fn read(key: &str) -> Option<String> {
    kv::get(key).map(|value| String::from_utf8_lossy(&value).into_owned())
}

fn kept(answer: Result<(), kv::Refusal>) -> String {
    answer.map_or_else(|why| why.name().to_owned(), |()| "ok".to_owned())
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
