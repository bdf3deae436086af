//! The program as scripts meet it: exit codes, and where it prints.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

#[test]
fn a_good_configuration_and_a_sound_end_are_0_problems_are_1_and_wrong_usage_is_2() {
    let site = site("");
    assert_eq!(code(&run(site.path(), &["config", "check"])), 0);
    assert_eq!(code(&run(site.path(), &["config", "check", "--config", "missing.toml"])), 1);
    assert_eq!(code(&run(site.path(), &["check"])), 1, "there is no store");
    assert_eq!(code(&run(site.path(), &["config", "approve"])), 2);
    assert_eq!(code(&run(site.path(), &["dead-letters", "replay"])), 2);
}

#[test]
fn a_configuration_check_names_all_problems_at_once_on_stdout() {
    let site = site("listen = 5\ntypo = true\n");
    let output = run(site.path(), &["config", "check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("weft.toml:1: listen") && said.contains("weft.toml:2: typo"), "{said}");
    assert_eq!((code(&output), output.stderr.as_slice()), (1, b"".as_slice()));
}

#[test]
fn an_engine_that_is_not_there_is_told_on_stderr_with_its_causes() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let site = site(&format!("listen = \"{free}\"\n"));
    fs::create_dir(site.path().join("data")).expect("made");
    fs::write(site.path().join("data/operator.key"), "weft_op_abc\n").expect("written");
    let output = run(site.path(), &["destinations", "list"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with(&format!("weft: could not connect to http://{free}: ")), "{said}");
    assert!(said.contains("\n  because: "), "{said}");
    assert_eq!((code(&output), output.stdout.as_slice()), (1, b"".as_slice()));
}

#[test]
fn a_listener_says_which_secrets_it_can_verify_with_and_never_shows_one() {
    let site = site("");
    for (secrets, says) in [("hunter22\n", "only \"v1\" is verified here"), ("\n", "the file of secrets is empty")] {
        fs::write(site.path().join("secrets"), secrets).expect("written");
        let output = run(site.path(), &["listen", "--port", "0", "--secret-file", "secrets"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(says) && !said.contains("hunter22"), "{said}");
        assert_eq!((code(&output), output.stdout.as_slice()), (1, b"".as_slice()));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let site = site("");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = weft(site.path(), &["config", "check"]).stdout(writer).output().expect("it runs");
    assert_eq!((code(&output), String::from_utf8_lossy(&output.stderr).as_ref()), (0, ""));
}

#[test]
fn an_error_that_nobody_can_read_is_still_only_an_error() {
    let site = site("");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = weft(site.path(), &["check"]).stderr(writer).output().expect("it runs");
    assert_eq!(code(&output), 1, "a panic would be 101");
}

fn site(config: &str) -> TempDir {
    let site = TempDir::new().expect("a folder");
    fs::write(site.path().join("weft.toml"), config).expect("written");
    site
}

fn run(folder: &Path, args: &[&str]) -> Output {
    weft(folder, args).output().expect("it runs")
}

fn weft(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    for variable in ["WEFT_CONFIG", "WEFT_KEY", "WEFT_TENANT", "WEFT_URL"] {
        command.env_remove(variable);
    }
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}
