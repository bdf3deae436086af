//! Svix as another product to be measured: its documented HTTP API, as far as a load needs it.
//!
//! An application stands for a tenant, an endpoint for a destination, a message for an event. The server must be allowed to
//! call plain HTTP on loopback (`SVIX_WHITELIST_SUBNETS`, `SVIX_ENDPOINT_HTTPS_ONLY=false`).

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::against::Way;
use crate::http::Connection;

/// Makes an application with so many endpoints at the sink, `/e1` and so on, and answers how messages go in.
///
/// # Errors
/// When the server refuses, with what it said.
pub async fn prepare(server: SocketAddr, token: &str, sink: SocketAddr, destinations: u32) -> Result<Way> {
    let mut api = Api { connection: Connection::open(server).await?, authorization: format!("Bearer {token}") };
    let application = api.create("/api/v1/app/", &json!({"name": "weft-bench"})).await.context("the application")?;
    for number in 1..=destinations {
        let endpoint = json!({"url": format!("http://{sink}/e{number}"), "description": "weft-bench"});
        api.create(&format!("/api/v1/app/{application}/endpoint/"), &endpoint).await.context("an endpoint")?;
    }
    Ok(Way {
        path: format!("/api/v1/app/{application}/msg/"),
        headers: vec![format!("authorization: {}", api.authorization)],
        envelope: r#"{"eventType":"order.created","payload":@@}"#.to_owned(),
    })
}

struct Api {
    connection: Connection,
    authorization: String,
}

impl Api {
    /// Creates something and answers its id.
    async fn create(&mut self, path: &str, what: &Value) -> Result<String> {
        let request = self
            .connection
            .post(path)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(what.to_string())))?;
        let answer = self.connection.send(request).await?;
        if !answer.status.is_success() {
            bail!("{path} answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        let created: Value = serde_json::from_slice(&answer.body).with_context(|| format!("{path} told no JSON"))?;
        created["id"].as_str().map(str::to_owned).with_context(|| format!("{path} told no id: {created}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt;
    use hyper::{Response, StatusCode};

    use super::*;
    use crate::http;

    type Calls = Arc<Mutex<Vec<(String, Value)>>>;

    /// A server that answers as Svix's API is documented to, on a free port.
    async fn server(calls: Calls) -> SocketAddr {
        let listener = http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(http::serve(listener, move |request| {
            let calls = calls.clone();
            async move {
                let path = request.uri().path().to_owned();
                if request.headers().get("authorization").is_none_or(|value| value != "Bearer testsk_1") {
                    let refusal = r#"{"code":"authentication_failed","detail":"Invalid token"}"#;
                    return answer(StatusCode::UNAUTHORIZED, refusal);
                }
                let body: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
                calls.lock().expect("no call panicked").push((path.clone(), body));
                match path.as_str() {
                    "/api/v1/app/" => answer(StatusCode::CREATED, r#"{"id":"app_1","name":"weft-bench"}"#),
                    "/api/v1/app/app_1/endpoint/" => answer(StatusCode::CREATED, r#"{"id":"ep_1","version":1}"#),
                    _ => answer(StatusCode::NOT_FOUND, r#"{"code":"not_found","detail":"Entity not found"}"#),
                }
            }
        }));
        address
    }

    fn answer(status: StatusCode, body: &'static str) -> Result<Response<Full<Bytes>>> {
        Ok(Response::builder().status(status).body(Full::new(Bytes::from_static(body.as_bytes())))?)
    }

    #[tokio::test]
    async fn an_application_is_made_with_its_endpoints_and_takes_messages() {
        let calls = Calls::default();
        let server = server(calls.clone()).await;
        let sink = SocketAddr::from(([127, 0, 0, 1], 9900));
        let way = prepare(server, "testsk_1", sink, 2).await.expect("everything is made");
        assert_eq!(way.path, "/api/v1/app/app_1/msg/");
        assert_eq!(way.headers, ["authorization: Bearer testsk_1"]);
        let message: Value = serde_json::from_str(&way.envelope.replace("@@", "{}")).expect("JSON");
        assert_eq!(message, json!({"eventType": "order.created", "payload": {}}));
        let calls = calls.lock().expect("no call panicked");
        let urls: Vec<_> = calls.iter().filter_map(|(_, body)| body["url"].as_str()).collect();
        assert_eq!(urls, ["http://127.0.0.1:9900/e1", "http://127.0.0.1:9900/e2"]);
    }

    #[tokio::test]
    async fn a_refusal_is_told_with_the_servers_words() {
        let server = server(Calls::default()).await;
        let sink = SocketAddr::from(([127, 0, 0, 1], 9900));
        let error = prepare(server, "wrong", sink, 1).await.expect_err("the token is wrong");
        assert!(format!("{error:#}").contains("401") && format!("{error:#}").contains("Invalid token"), "{error:#}");
    }
}
