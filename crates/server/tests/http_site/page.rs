//! The page at `/` and the styles and modules that it asks for.

use super::client::{Server, server};

#[tokio::test]
async fn the_page_s_policy_lets_in_its_own_files_and_nothing_else() {
    let server = server(&[]);
    let page = server.ask("GET", "/", &[("accept", "text/html")], "").await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"),
        "{policy}"
    );
    for strict in
        ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(strict), "{strict} in {policy}");
    }
    for lax in ["unsafe", "http", "*"] {
        assert!(!policy.contains(lax), "{lax} in {policy}");
    }
    for inline in ["<style", "<script>", " style=", " onclick=", "http-equiv", "src=\"http", "href=\"http"] {
        assert!(!page.body.contains(inline), "{inline:?} would be blocked");
    }
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
}

#[tokio::test]
async fn everything_that_the_page_asks_for_is_there_and_is_kept() {
    let server = server(&[]);
    let mut waiting = asked_for(&server).await;
    let mut seen: Vec<String> = Vec::new();
    while let Some(path) = waiting.pop() {
        let file = server.get(&path).await;
        let kind = if path.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!((file.status, file.header("content-type")), (200, kind), "{path}");
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("cross-origin-resource-policy"), "", "these are for this page alone");
        let folder = path.rsplit_once('/').unwrap().0;
        let imports = file.body.split(" from './").skip(1).filter_map(|rest| rest.split_once('\''));
        // What ends without a semicolon stands in a comment, for the types.
        let imports = imports.filter(|(_, after)| after.starts_with(';')).map(|(name, _)| format!("{folder}/{name}"));
        waiting.extend(imports.filter(|path| !seen.contains(path)).collect::<Vec<_>>());
        seen.push(path);
    }
    for needed in ["/base.css", "/main.js", "/crowd.js", "/qr.js"] {
        assert!(seen.iter().any(|path| path.ends_with(needed)), "{needed} in {seen:?}");
    }
}

#[tokio::test]
async fn what_a_browser_has_of_the_page_is_not_sent_again_and_another_build_is_not_there() {
    let server = server(&[]);
    let path = asked_for(&server).await.remove(0);
    let tag = server.get(&path).await.header("etag").to_owned();
    assert!(tag.len() > 10, "{tag}");
    let again = server.ask("GET", &path, &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for absent in ["/page/0123456789abcdef/main.js", "/page/main.js", "/page"] {
        assert_eq!(server.get(absent).await.status, 404, "{absent}");
    }
    let (build, _) = path.rsplit_once('/').unwrap();
    for absent in ["package.json", "tsconfig.json", "..%2Fpage.html"] {
        assert_eq!(server.get(&format!("{build}/{absent}")).await.status, 404, "{absent}");
    }
}

#[tokio::test]
async fn the_page_knows_the_address_that_the_operator_gave_it_and_no_other() {
    let configured = server(&[("server.public_url", "https://wigwag.example.org")]);
    let page = configured.ask("GET", "/", &[("accept", "text/html")], "").await;
    assert!(page.body.contains("<meta name=\"wigwag-own\" content=\"https://wigwag.example.org\">"));
    let plain = server(&[]).ask("GET", "/", &[("accept", "text/html")], "").await;
    assert!(plain.body.contains("<meta name=\"wigwag-own\" content=\"\">"));
}

/// The styles and modules that the document names.
async fn asked_for(server: &Server) -> Vec<String> {
    let page = server.ask("GET", "/", &[("accept", "text/html")], "").await;
    let files = page.body.split("\"page/").skip(1).filter_map(|rest| rest.split_once('"'));
    let files: Vec<_> = files.map(|(file, _)| format!("/page/{file}")).collect();
    assert!(files.len() > 2, "{files:?}");
    files
}
