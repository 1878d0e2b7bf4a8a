//! The browser SDK as pages get it.

use super::client::server;

#[tokio::test]
async fn the_entry_leads_to_modules_that_are_kept_and_that_find_each_other() {
    let server = server(&[]);
    let entry = server.get("/wigwag.js").await;
    assert_eq!((entry.status, entry.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(entry.header("cache-control"), "public, no-cache");
    let index = entry.body.split('\'').nth(1).unwrap().trim_start_matches('.').to_owned();
    let folder = index.rsplit_once('/').unwrap().0;
    let mut waiting = vec![index.clone()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let module = server.get(&path).await;
        assert_eq!((module.status, module.header("content-type")), (200, "text/javascript; charset=utf-8"), "{path}");
        assert_eq!(module.header("cache-control"), "public, max-age=31536000, immutable");
        let imports = module.body.split(" from './").skip(1).filter_map(|rest| rest.split_once('\''));
        // What ends without a semicolon stands in a comment, for the types.
        let imports = imports.filter(|(_, after)| after.starts_with(';'));
        let paths: Vec<_> = imports.map(|(name, _)| format!("{folder}/{name}")).collect();
        waiting.extend(paths.into_iter().filter(|path| !seen.contains(path)));
        seen.push(path);
    }
    assert!(seen.iter().any(|path| path.ends_with("/machine.js")), "{seen:?}");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let server = server(&[]);
    let tag = server.get("/wigwag/index.js").await.header("etag").to_owned();
    let again = server.ask("GET", "/wigwag/index.js", &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let other = server.ask("GET", "/wigwag/index.js", &[("if-none-match", "\"0\"")], "").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_may_load_it_and_another_build_is_not_there() {
    let server = server(&[]);
    let answer = server.ask("GET", "/wigwag/index.js", &[("origin", "https://app.example.org")], "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    for path in ["/wigwag/0123456789abcdef/index.js", "/wigwag/nothing.js", "/wigwag/package.json"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}
