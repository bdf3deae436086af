//! What a plugin can find out: about where it runs, and about those that ran before.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use crate::header;
use crate::weft::plugin::types::{Event, Header};

/// Everything that differs from run to run in an ordinary program.
#[expect(
    clippy::disallowed_methods,
    reason = "a plugin's author may know no better; the host must answer the same each time"
)]
pub(crate) fn surroundings(event: &Event) -> Vec<Header> {
    let map: HashMap<u32, ()> = (0..64).map(|n| (n, ())).collect();
    let order = map.keys().map(u32::to_string).collect::<Vec<_>>().join(" ");

    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let start = Instant::now();
    let unslept = start.elapsed();
    std::thread::sleep(Duration::from_millis(1500));

    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input).map_or_else(|e| e.to_string(), |n| n.to_string());
    vec![
        header("hash-order", order),
        header("wall-ms", wall.to_string()),
        header("elapsed-ms", unslept.as_millis().to_string()),
        header("slept-ms", start.elapsed().as_millis().to_string()),
        header("environment", std::env::vars().count().to_string()),
        header("arguments", std::env::args().count().to_string()),
        header("stdin", read),
        header("received-at", &*event.received_at),
    ]
}

/// Looks through the whole memory for what an earlier instance left, then leaves it for a later one.
pub(crate) fn canary() -> Vec<Header> {
    let found = count(&secret());
    let mut planted = Vec::new();
    for _ in 0..24 {
        planted.push(black_box(secret().repeat(2048)));
    }
    let planted = black_box(&planted).len();
    vec![header("found", found.to_string()), header("planted", planted.to_string())]
}

/// Sixteen bytes that stand nowhere in the program's data: they are computed.
fn secret() -> [u8; 16] {
    std::array::from_fn(|n| (black_box(n) as u8).wrapping_mul(151) ^ 0xA5)
}

fn count(secret: &[u8; 16]) -> usize {
    let end = core::arch::wasm32::memory_size(0) << 16;
    let mut found = 0;
    let mut at = 1024;
    while at + secret.len() <= end {
        let start = at as *const u8;
        // Safety: below the memory's end; whatever stands there is a byte.
        if (0..secret.len()).all(|n| unsafe { start.add(n).read_volatile() } == secret[n]) {
            found += 1;
        }
        at += 1;
    }
    found
}
