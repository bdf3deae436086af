//! Every route but health wants a key, and the right one.

use weft_tests::{Answered, Destination, Receiver, Request, Site, Tenant, Weft, audit, order};

/// Where the engine's routes are written down.
const ROUTER: &str = include_str!("../../../engine/server/src/api/mod.rs");
/// What answers everybody, so that a balancer needs no key.
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];
/// What only the operator may do, or see.
const OPERATORS: [&str; 5] = [
    "/v1/plugins/reload",
    "/v1/plugins/{name}/versions",
    "/v1/plugins/{name}/activate",
    "/v1/plugins/{name}/rollback",
    "/metrics",
];
/// A key that is as long as keys are, and nobody's.
const WRONG_KEY: &str = "nobodys-key-0123456789abcdefghijklmnopqrstuvwxyz";

/// Method and path of every route that the router has, read from the router itself so that none is forgotten.
fn routes() -> Vec<(&'static str, &'static str)> {
    let lines = ROUTER.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
    let routes: Vec<_> = lines
        .map(|line| {
            let (path, rest) = line.split_once("\", ").expect("a path and a method");
            (if rest.starts_with("get(") { "GET" } else { "POST" }, path)
        })
        .collect();
    assert!(routes.len() >= 15, "the router is written another way: {routes:?}");
    assert_eq!(ROUTER.matches("post(").count() + ROUTER.matches("get(").count(), routes.len(), "{routes:?}");
    routes
}

fn private_routes() -> Vec<(&'static str, &'static str)> {
    routes().into_iter().filter(|(_, path)| !PUBLIC.contains(path)).collect()
}

/// A request to a route, about things of the tenant `shop` that are there.
fn request(method: &str, route: &str, event: &str) -> Request {
    // The operator's plugin, by the name that says so: a bare one would be a tenant's own.
    let name = if route.contains("plugins") { "operator%2Fstamp" } else { "crm" };
    let path = route.replace("{id}", event).replace("{name}", name);
    let request = Request::new(method, &path);
    if method == "POST" { request.header("content-type", "application/json").body(order(1)) } else { request }
}

/// Asserts that an answer is this refusal, and that it tells nothing of what is there.
#[track_caller]
fn assert_refused(answered: &Answered, status: u16, word: &str, key: &str) {
    let problem = answered.problem();
    assert_eq!((problem.status, problem.word()), (status, word), "{answered:?}");
    assert!(!answered.body.contains(key), "the key is quoted: {answered:?}");
    let told = ["127.0.0.1:", "order.created", "whsec_", "stamp", "dst_"];
    assert!(told.iter().all(|told| !answered.body.contains(told)), "{answered:?}");
}

#[tokio::test]
async fn promise_8_no_route_but_health_answers_without_a_key_of_this_engine() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let event = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&event).await;
    let credentials = [
        (None, "key-missing"),
        (Some("Bearer ".to_owned()), "key-missing"),
        (Some("Basic c2hvcDpzaG9w".to_owned()), "key-missing"),
        (Some(site.key("shop")), "key-missing"),
        (Some(format!("Bearer {WRONG_KEY}")), "key-unknown"),
        (Some(format!("Bearer {}x", site.key("shop"))), "key-unknown"),
        (Some(format!("Bearer {}", &site.key("shop")[1..])), "key-unknown"),
    ];
    for (method, route) in private_routes() {
        for (credential, word) in &credentials {
            let request = request(method, route, &event);
            let request = match credential {
                Some(credential) => request.header("authorization", credential),
                None => request,
            };
            let answered = request.send(weft.address()).await;
            assert_refused(&answered, 401, word, &site.key("shop")[1..]);
            assert!(answered.head.contains("www-authenticate: bearer"), "{method} {route}: {answered:?}");
        }
    }
    for route in PUBLIC {
        assert_eq!(Request::new("GET", route).send(weft.address()).await.status, 200, "{route}");
    }
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 1, "nothing that was refused was stored");
}

#[tokio::test]
async fn promise_8_a_tenants_key_acts_for_nobody_else_on_any_route() {
    let crm = Receiver::start().await;
    let tenant = |name| Tenant::named(name).sends_to(Destination::at("crm", &crm));
    let site = Site::of([tenant("shop"), tenant("bank")]);
    let weft = Weft::start(&site).await;
    let event = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&event).await;
    let key = site.key("bank");
    for (method, route) in private_routes() {
        // Whether another tenant exists is not told: both get the same answer.
        let asked = |whom: &'static str| request(method, route, &event).key(&key).header("weft-tenant", whom);
        let there = asked("shop").send(weft.address()).await;
        assert_refused(&there, 403, "not-allowed", &key);
        assert_eq!(there.body, asked("nobody").send(weft.address()).await.body, "{method} {route}");
    }
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 1);
}

#[tokio::test]
async fn promise_8_what_is_the_operators_is_refused_to_tenants() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let key = site.key("shop");
    let known = routes();
    for route in OPERATORS {
        let (method, _) = known.iter().find(|(_, path)| *path == route).expect("the router has it");
        let answered = request(method, route, "").key(&key).send(weft.address()).await;
        assert_refused(&answered, 403, "not-allowed", &key);
    }
    let plugins = weft.tenant("shop").client().plugins().await.expect("a tenant may see what it may bind");
    assert_eq!(plugins.folder, None);
    assert!(plugins.plugins.iter().all(|plugin| plugin.file.is_none()));
    weft.stop().await;
}
