//! What the kernel sees of a durable answer.

use std::collections::HashMap;
use std::fs;

use weft_tests::{Destination, Engine, Launch, Receiver, Site, Step, Tenant, order};

const EVENTS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: cargo xtask test \"system calls\""]
async fn promise_1_the_log_is_synced_between_each_request_and_its_2xx() {
    let crm = Receiver::start().await;
    let plain = Tenant::named("plain").sends_to(Destination::at("crm", &crm));
    let piped = Tenant::named("piped")
        .sends_to(Destination::at("crm", &crm))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    let site = Site::of([plain, piped]);
    let trace = site.path().join("trace");
    let engine = Engine::launch(&site, &Launch::Traced(trace.clone())).await.expect("it starts");
    let callers = [engine.tenant("plain"), engine.tenant("piped")];
    for number in 0..EVENTS {
        callers[number % 2].send(order(number)).await;
    }
    engine.stop().await;

    let trace = fs::read_to_string(trace).expect("strace wrote it");
    assert_eq!(durable_answers(&calls(&trace)), EVENTS);
}

/// A system call, with the lines of the trace on which it began and ended.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

/// Puts together what a trace of several threads tears apart, in the order in which the calls ended.
fn calls(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, Call> = HashMap::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, text)) = text.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(beginning) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, Call { text: beginning.to_owned(), began: line, ended: line });
        } else if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>")) {
            let Some(mut call) = unfinished.remove(thread) else { continue };
            call.text.push_str(rest);
            call.ended = line;
            calls.push(call);
        } else {
            calls.push(Call { text: text.to_owned(), began: line, ended: line });
        }
    }
    calls
}

/// Counts the requests for ingest that were answered 202.
///
/// # Panics
/// If the write-ahead log was not synced in between: begun after the request was read, done before the answer was written.
fn durable_answers(calls: &[Call]) -> usize {
    let syncs: Vec<_> = calls.iter().filter(|call| call.is_sync_of_the_log()).collect();
    // The line on which the last part of a request was read, by socket.
    let mut requests: HashMap<&str, usize> = HashMap::new();
    let mut answers = 0;
    for call in calls {
        let Some(socket) = call.socket() else { continue };
        if call.text.contains("\"HTTP/1.1 202") {
            let read = requests.remove(socket).expect("an answer follows a request");
            let synced = syncs.iter().any(|sync| sync.began > read && sync.ended < call.began);
            assert!(synced, "read on line {read}, answered on line {}, and no sync between: {}", call.began, call.text);
            answers += 1;
        } else if call.text.contains("\"POST /v1/events") || call.is_a_read() && requests.contains_key(socket) {
            requests.insert(socket, call.ended);
        }
    }
    answers
}

impl Call {
    fn is_sync_of_the_log(&self) -> bool {
        let is_sync = self.text.starts_with("fsync(") || self.text.starts_with("fdatasync(");
        is_sync && self.text.contains("weft.db-wal>") && self.text.ends_with("= 0")
    }

    /// Whether it read anything.
    fn is_a_read(&self) -> bool {
        let is_read = self.text.starts_with("read(") || self.text.starts_with("recvfrom(");
        is_read && !self.text.contains(") = -1 ")
    }

    /// The socket that it reads or writes: `7<socket:[1234]>`.
    fn socket(&self) -> Option<&str> {
        let (socket, _) = self.text.split_once('(')?.1.split_once(',')?;
        (socket.contains("<socket:") || socket.contains("<TCP:")).then_some(socket)
    }
}
