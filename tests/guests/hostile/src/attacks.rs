//! What a hostile plugin does in place of answering, or before it.

use std::hint::black_box;

use crate::weft::plugin::log::{Level, log};

/// Does harm if `behaviour` names any; most of it never returns.
pub(crate) fn run(behaviour: &str) {
    match behaviour {
        "loop" => spin(),
        "log-loop" => loop {
            log(Level::Info, "still here");
        },
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "eat-memory" => eat_memory(),
        "panic" => panic!("nobody expected this: {}", black_box(7)),
        "panic-after-words" => {
            eprintln!("a warning before");
            panic!("the last straw");
        }
        "exit" => std::process::exit(3),
        "deep-recursion" => log(Level::Info, &recurse(1).to_string()),
        "log-flood" => (0..10_000).for_each(|n| log(Level::Warn, &format!("{n} {}", "y".repeat(8_000)))),
        "log-huge" => log(Level::Info, &"z".repeat(30 << 20)),
        "print-flood" => (0..2_000).for_each(|n| println!("{n} {}", "y".repeat(500))),
        "log-control" => log(Level::Error, "red \u{1b}[31m line\nforged line"),
        "log" => {
            log(Level::Debug, "a log line");
            println!("a printed line");
            eprintln!("a complaint");
        }
        _ => {}
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_mul(31).wrapping_add(1));
    }
}

fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(true) { recurse(depth + 1) + frame[7] } else { depth }
}
