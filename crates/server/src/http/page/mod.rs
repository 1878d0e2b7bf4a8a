//! The page at `/`: two people who open it meet, and below it says how to connect programs and how it is going. Plain
//! text for those who do not ask for HTML.
//!
//! The document, its styles and its modules (`app/`) come from this server, and its policy lets in nothing else. The
//! modules use the SDK as every page could. Which room people meet in stands behind the `#` of the address, which
//! browsers tell no server, so nothing here knows it.

mod dialects;

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, VARY};

use super::Site;
use super::bundle::Bundle;
use crate::config::Config;
use crate::dialects::Routes;
use crate::version::VERSION;

const HTML: &str = include_str!("page.html");

/// What the document asks for.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

static APP: LazyLock<Bundle> = LazyLock::new(|| Bundle::new(FILES));

/// Nothing from elsewhere and nothing inline. Pictures and downloads are made in the page, out of what peers sent; no
/// text ever becomes markup.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
     media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

/// What the script on the page adds where guests may come in.
const HELLO: &str = "\nsocket.onopen = () =&gt; socket.send('{\"type\":\"hello\"}');";

/// The page with everything filled in but the host, which is told from each request.
pub(super) struct Template {
    html: String,
    /// The configured URL, if there is one.
    url: Option<String>,
    tls: bool,
    guests: bool,
    routes: Routes,
}

impl Template {
    pub(super) fn new(config: &Config) -> Self {
        let html = HTML
            .replace("{{build}}", APP.build())
            .replace("{{hello}}", if config.auth.guests { HELLO } else { "" })
            .replace("{{version}}", VERSION.version);
        Self {
            html,
            url: config.server.public_url.url().map(Into::into),
            tls: !config.tls.cert.as_os_str().is_empty(),
            guests: config.auth.guests,
            routes: Routes::new(config),
        }
    }

    /// The server's URL as this client sees it.
    fn url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
        let host = text(HOST.as_str()).filter(plain).filter(|host| !host.is_empty()).unwrap_or("localhost");
        // Anybody may claim this, but only for the answer that he gets himself: it is never kept.
        let secure = self.tls || text("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        format!("{}://{host}", if secure { "https" } else { "http" })
    }
}

/// `GET /`.
pub(super) async fn page(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let template = &site.page;
    let url = template.url(&headers);
    let socket = format!("ws{}/v1", url.strip_prefix("http").unwrap_or(&url));
    let wants_html =
        headers.get_all(ACCEPT).iter().any(|accept| accept.as_bytes().windows(9).any(|w| w == b"text/html"));
    let mut response = if wants_html {
        let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
        let html = template
            .html
            .replace("{{host}}", &escape(host))
            .replace("{{own}}", &escape(template.url.as_deref().unwrap_or_default()))
            .replace("{{url}}", &escape(&url))
            .replace("{{socket}}", &escape(&socket))
            .replace("{{dialects}}", &rows(&dialects::lines(&template.routes, &url)));
        ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    } else {
        ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text(template, &url, &socket)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(VARY, HeaderValue::from_static("accept"));
    response
}

/// `GET /page/{build}/{file}`: a style or module of the page.
pub(super) async fn file(Path((build, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    APP.file_of_build(&build, &file, &headers)
}

/// The dialects as rows of the page.
fn rows(lines: &[dialects::Line]) -> String {
    let row = |line: &dialects::Line| {
        let dialects::Line { title, name, code } = line;
        format!(
            "<h4>{}</h4>\n    <div class=\"line\"><pre><code id=\"line-{name}\">{}</code></pre>\
             <button type=\"button\" data-copy=\"line-{name}\" hidden>Copy<span class=\"quiet\"> the line for {}\
             </span></button></div>\n",
            escape(title),
            escape(code),
            escape(title),
        )
    };
    lines.iter().map(row).collect()
}

fn text(template: &Template, url: &str, socket: &str) -> String {
    let lines = dialects::lines(&template.routes, url);
    let width = lines.iter().map(|line| line.title.len()).max().unwrap_or(0);
    let moves: String = lines.iter().map(|line| format!("  {:width$}  {}\n", line.title, line.code)).collect();
    let moves =
        if moves.is_empty() { moves } else { format!("\nApps that exist need another URL and nothing else:\n{moves}") };
    let hello = if template.guests { "Say {\"type\":\"hello\"} to come in as a guest.\n" } else { "" };
    format!(
        "This is Wigwag {}, a signaling server: programs find each other here and then talk directly.\n\
         \n\
         Connect   {socket}   (WebSocket, subprotocol {})\n\
         Try       websocat --protocol {} {socket}\n\
         Counts    {url}/stats\n\
         Metrics   {url}/metrics\n\
         Health    {url}/health   {url}/ready\n\
         \n\
         {hello}{moves}",
        VERSION.version,
        wigwag_wire::VERSION,
        wigwag_wire::VERSION,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
