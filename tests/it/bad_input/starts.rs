//! Starts that must not happen.

use weft_tests::{Destination, Engine, Program, Receiver, Rewritten, Site, Tenant, audit, order};

#[tokio::test]
async fn a_second_engine_on_the_same_data_is_refused_and_the_first_goes_on() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let engine = Engine::start(&site).await;
    let said = Program::run(&["serve"], &site.write(), &[]).ended().await;
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
    for words in ["locked by another engine", "(process ", "stop that one first"] {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
    let shop = engine.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    engine.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_way_out() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let taken = crm.url().replace("http://", "").replace("/hook", "");
    let rewritten = Rewritten::of(&site).with("listen = \"127.0.0.1:0\"", &format!("listen = \"{taken}\""));
    let said = Program::run(&["serve"], rewritten.path(), &[]).ended().await;
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
    for words in [&*format!("could not listen on {taken}"), "change `listen`", "because: "] {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
    // What was begun leaves nothing behind that keeps the next start from its work.
    let engine = Engine::start(&site).await;
    let shop = engine.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    engine.stop().await;
    audit(&site).await;
}

mod on_postgres {
    use std::net::TcpListener;

    use weft_private_postgres::{Durability, Options, PrivatePostgres};
    use weft_tests::{Destination, Program, Receiver, Rewritten, Said, Site, Tenant, Weft, audit, order};

    const PASSWORD: &str = "WEFT_STORE_PASSWORD";

    /// Runs an engine of `site`, which is at `url`, on another store.
    async fn serve(site: &Site, url: &str, store: &str, password: Option<&str>) -> Said {
        let here = format!("store = \"{url}\"");
        let there = match password {
            Some(_) => format!("store = \"{store}\"\nstore_password = {{ env = \"{PASSWORD}\" }}"),
            None => format!("store = \"{store}\""),
        };
        let rewritten = Rewritten::of(site).with(&here, &there);
        let variables = password.map(|password| (PASSWORD, password));
        Program::run(&["serve"], rewritten.path(), variables.as_slice()).ended().await
    }

    /// Lets a role in by its password alone.
    fn ask_for_password(server: &PrivatePostgres, role: &str, password: &str) {
        let file = server.query("postgres", "SHOW hba_file").expect("a superuser may");
        let lines =
            [format!("host all {role} 127.0.0.1/32 scram-sha-256"), "host all all 127.0.0.1/32 trust".to_owned()]
                .map(|line| format!("('{line}')"));
        for statement in [
            format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"),
            format!("COPY (VALUES {}) TO '{file}'", lines.join(", ")),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            server.query("postgres", &statement).expect("a superuser may");
        }
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_had_is_named_with_what_the_server_says() {
        let crm = Receiver::start().await;
        let server = PrivatePostgres::start(&Options::new(Durability::Full)).unwrap_or_else(|error| panic!("{error}"));
        server.create_database("weft").expect("an empty server");
        let url = server.url("weft");
        let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]).on(&url);
        let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("a port").0;
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        ask_for_password(&server, "stranger", "hunter2");
        let as_stranger = format!("postgres://stranger@127.0.0.1:{port}/weft");
        for (store, password, words) in [
            (format!("postgres://weft@127.0.0.1:{free}/weft"), None, "Connection refused"),
            (server.url("nowhere"), None, "database \"nowhere\" does not exist"),
            (format!("postgres://nobody@127.0.0.1:{port}/weft"), None, "role \"nobody\" does not exist"),
            (as_stranger, Some("hunter3"), "password authentication failed"),
        ] {
            let said = serve(&site, &url, &store, password).await;
            assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
            assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
            assert!(
                said.stderr.contains("could not connect to") && said.stderr.contains("127.0.0.1"),
                "{}",
                said.stderr
            );
            assert!(!said.stderr.contains("hunter"), "{}", said.stderr);
        }

        // With nothing wrong it starts, and none of the others has left anything behind.
        let weft = Weft::start(&site).await;
        let id = weft.tenant("shop").send(order(1)).await;
        weft.tenant("shop").delivered(&id).await;
        weft.stop().await;
        audit(&site).await;
    }
}
