//! One request over HTTP on a connection of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{Base, Dial};
use crate::player::{Answer, Request};

/// More than any answer that is expected.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks. The error says why there is no answer.
pub async fn ask(dial: &Dial, base: &Base, request: &Request) -> Result<Answer, String> {
    let line = dial().await.map_err(|why| format!("no connection: {why}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(line)).await.map_err(|why| why.to_string())?;
    let mut asked = http::Request::builder()
        .method(request.method.as_str())
        .uri(base.target(&request.path))
        .header("host", base.authority())
        .header("connection", "close");
    for (name, value) in &request.headers {
        asked = asked.header(name, value);
    }
    let asked = asked.body(Empty::<Bytes>::new()).map_err(|why| why.to_string())?;
    // The connection moves bytes only while it is polled, so it runs beside the request.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(asked).await.map_err(|why| format!("no answer: {why}"))?;
    let status = answer.status().as_u16();
    let mut headers = BTreeMap::new();
    for (name, value) in answer.headers() {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    let body = body.map_err(|why| format!("the answer broke off: {why}"))?.to_bytes();
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
