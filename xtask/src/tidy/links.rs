//! Links between pages: the page is there, and so is the heading.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Finding, Tree, has_extension};

/// Every relative link of every page leads somewhere.
pub(super) fn dead_links(tree: &Tree) -> Vec<Finding> {
    let pages: BTreeMap<&str, Page> =
        tree.texts(|path| has_extension(path, "md")).map(|(path, text)| (path, Page::read(text))).collect();
    let mut findings = Vec::new();
    for (path, page) in &pages {
        for link in &page.links {
            if let Some(wrong) = wrong_with(tree, &pages, path, &link.target) {
                findings.push(Finding::new(path, link.line, format!("`{}` {wrong}", link.target)));
            }
        }
    }
    findings
}

struct Page {
    links: Vec<Link>,
    anchors: BTreeSet<String>,
}

struct Link {
    line: usize,
    target: String,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self { links: Vec::new(), anchors: BTreeSet::new() };
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if is_relative(&dest_url) => {
                    let before = text.get(..range.start).unwrap_or_default();
                    let line = before.matches('\n').count() + 1;
                    page.links.push(Link { line, target: dest_url.into_string() });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_anchor(&heading.take().unwrap_or_default()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => page.anchors.extend(html_anchor(&html)),
                _ => {}
            }
        }
        page
    }

    /// The name that the usual renderers give a heading: repeated ones are numbered.
    fn add_anchor(&mut self, heading: &str) {
        let slug: String = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let mut anchor = slug.clone();
        let mut repeated = 0;
        while !self.anchors.insert(anchor) {
            repeated += 1;
            anchor = format!("{slug}-{repeated}");
        }
    }
}

fn wrong_with(tree: &Tree, pages: &BTreeMap<&str, Page>, page: &str, link: &str) -> Option<&'static str> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let Some(target) = resolve(page, target) else { return Some("leaves the repository") };
    if !tree.exists(&target) {
        return Some("leads nowhere");
    }
    let there = anchor.is_empty() || pages.get(target.as_str()).is_none_or(|page| page.anchors.contains(anchor));
    (!there).then_some("names no heading there")
}

fn is_relative(target: &str) -> bool {
    let has_scheme = target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphabetic()));
    !has_scheme && !target.starts_with("//")
}

/// `target` as seen from `page`, from the top; nothing if it climbs out.
fn resolve(page: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn html_anchor(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("id=\"")?;
    let (anchor, _) = rest.split_once('"')?;
    Some(anchor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let readme = "# A\n\n[gone](docs/gone.md)\n[here](docs/a.md)\n[folder](docs)\n[far](https://example.org/x)\n";
        let page = "# B\n\n![up](../pic.svg) and [out](../../x)\n\n```\n[not](a-link.md)\n```\n";
        let tree = Tree::of(&[("README.md", readme), ("docs/a.md", page)]);
        let expected = [
            "README.md:3: `docs/gone.md` leads nowhere",
            "docs/a.md:3: `../../x` leaves the repository",
            "docs/a.md:3: `../pic.svg` leads nowhere",
        ];
        let mut findings = dead_links(&tree);
        findings.sort();
        expect(&findings, &expected);
    }

    #[test]
    fn a_heading_that_is_not_there_is_found() {
        let a = "# The `find` rule, *twice*\n\n[ok](#the-find-rule-twice) [no](#the-find-rule) [b](b.md#one-1)\n";
        let b = "## One\n\n## One\n\n<a id=\"two\"></a>\n\n[two](#two) [three](b.md#three)\n";
        let tree = Tree::of(&[("a.md", a), ("b.md", b)]);
        let expected =
            ["a.md:3: `#the-find-rule` names no heading there", "b.md:7: `b.md#three` names no heading there"];
        expect(&dead_links(&tree), &expected);
    }
}
