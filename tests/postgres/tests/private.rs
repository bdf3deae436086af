//! A private server as its users see it: made, asked, stopped, started again, gone.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use weft_private_postgres::{Durability, Options, PrivatePostgres, Stop, TestDatabase};

fn start(options: &Options) -> PrivatePostgres {
    PrivatePostgres::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// Where it listens, read from its URL.
fn address(server: &PrivatePostgres) -> String {
    let url = server.url("any");
    url.rsplit('@').next().and_then(|rest| rest.split('/').next()).expect("an address").to_owned()
}

fn is_open(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn on_postgres_what_was_committed_is_there_after_each_kind_of_stop() {
    let mut postgres = start(&Options::new(Durability::Full));
    let url = postgres.url("shop");
    postgres.create_database("shop").expect("created");
    postgres.query("shop", "CREATE TABLE orders (number int)").expect("created");
    for (number, how) in [(1, Stop::Fast), (2, Stop::Immediate)] {
        postgres.query("shop", &format!("INSERT INTO orders VALUES ({number})")).expect("stored");
        postgres.stop(how);
        assert!(!is_open(&address(&postgres)), "it still listens after {how:?}");
        postgres.start_again().expect("it starts again");
        assert_eq!(postgres.url("shop"), url, "the same place");
        let count = postgres.query("shop", "SELECT count(*) FROM orders").expect("read");
        assert_eq!(count, number.to_string());
    }
}

#[test]
fn on_postgres_durability_and_settings_are_what_was_asked_for() {
    let durable = start(&Options::new(Durability::Full).with("max_connections", "17"));
    let show = |server: &PrivatePostgres, setting: &str| {
        server.query("postgres", &format!("SHOW {setting}")).expect("a setting")
    };
    assert_eq!([show(&durable, "fsync"), show(&durable, "synchronous_commit")], ["on", "on"]);
    assert_eq!(show(&durable, "max_connections"), "17");
    assert_eq!([show(&durable, "listen_addresses"), show(&durable, "unix_socket_directories")], ["127.0.0.1", ""]);
    let quick = start(&Options::new(Durability::None));
    assert_eq!([show(&quick, "fsync"), show(&quick, "synchronous_commit")], ["off", "off"]);
}

#[test]
fn on_postgres_a_setting_that_is_wrong_is_told_with_the_log() {
    let error = PrivatePostgres::start(&Options::new(Durability::None).with("max_connections", "many"));
    let words = error.expect_err("it cannot start").to_string();
    assert!(words.contains("max_connections"), "{words}");
}

#[test]
fn on_postgres_a_panic_stops_the_server_and_removes_its_folder() {
    let told = std::sync::Mutex::new(None);
    let panicked = std::panic::catch_unwind(|| {
        let postgres = start(&Options::new(Durability::None));
        let folder = postgres.query("postgres", "SHOW data_directory").expect("its folder");
        *told.lock().expect("ours") = Some((address(&postgres), folder));
        panic!("as a failing test does");
    });
    assert!(panicked.is_err());
    let (address, folder) = told.into_inner().expect("ours").expect("it ran");
    assert!(!is_open(&address), "it still listens");
    assert!(!std::path::Path::new(&folder).exists(), "{folder} is still there");
}

#[test]
fn on_postgres_a_database_of_a_test_goes_with_it_and_cuts_who_is_connected() {
    let postgres = start(&Options::new(Durability::None));
    let databases = || postgres.query("postgres", "SELECT count(*) FROM pg_database").expect("a count");
    let before = databases();
    let (one, other) = (TestDatabase::create_on(postgres.server()), TestDatabase::create_on(postgres.server()));
    let (one, other) = (one.expect("created"), other.expect("created"));
    assert_ne!(one.url(), other.url());
    one.query("CREATE TABLE only_here ()").expect("created");
    assert!(other.query("TABLE only_here").is_err(), "databases are apart");
    drop((one, other));
    assert_eq!(databases(), before);
}

/// A test that is killed cannot drop anything: this one starts itself as another process, and kills that.
#[cfg(target_os = "linux")]
#[test]
fn on_postgres_a_server_does_not_outlive_a_process_that_is_killed() {
    use std::fs::{Permissions, set_permissions};
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::PermissionsExt as _;

    const ROLE: &str = "WEFT_TEST_ROLE_HOLDS_A_SERVER";
    if std::env::var_os(ROLE).is_some() {
        let postgres = start(&Options::new(Durability::None));
        println!("\naddress {}", address(&postgres));
        // Until it is killed; its standard input is a pipe that nobody writes into.
        let _ = std::io::stdin().lines().next();
        return;
    }
    // Nobody is left to remove the server's folder; whoever runs the server must be able to go through this one.
    let folder = tempfile::tempdir().expect("a folder");
    set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let itself = std::env::current_exe().expect("a program");
    let name = "on_postgres_a_server_does_not_outlive_a_process_that_is_killed";
    let mut holder = Command::new(itself)
        .args(["--exact", name, "--nocapture"])
        .env(ROLE, "yes")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(holder.stdout.take().expect("it is piped")).lines();
    let told = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("address ").map(str::to_owned));
    let address = told.expect("the server's address");
    assert!(is_open(&address));
    holder.kill().expect("our own child");
    holder.wait().expect("our own child");
    // Bounded by the connections it takes: each is refused as soon as the server is gone.
    let gone = (0..2_000).any(|_| !is_open(&address));
    assert!(gone, "a server was left behind at {address}");
}
