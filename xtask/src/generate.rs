//! Pages, and tables in pages, that come from the code: the same words stand in one place only.
//! A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of its page is written by hand.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use wigwag_wire::code::{Class, Closes, Code, Fault};
use wigwag_wire::limits::Limits;

use crate::house::{House, output};

/// Writes anew what the code says.
pub(crate) fn write(house: &House) -> Result<()> {
    house.build()?;
    for part in PARTS {
        let (old, new) = part.old_and_new(house)?;
        if new != old {
            std::fs::write(house.root().join(part.page), new)?;
            println!("wrote {}", part.page);
        }
    }
    Ok(())
}

/// Fails if a page is not what the code would write.
pub(crate) fn check(house: &House) -> Result<()> {
    house.build()?;
    let mut stale = Vec::new();
    for part in PARTS {
        let (old, new) = part.old_and_new(house)?;
        match first_difference(&old, &new) {
            Some((line, difference)) => {
                println!("{}:{line}: the code says: {difference}", part.page);
                stale.push(part.page);
            }
            None => println!("{} is as the code says", part.page),
        }
    }
    if !stale.is_empty() {
        bail!("{} differ from the code; `cargo xtask generate` writes them anew", stale.join(", "));
    }
    Ok(())
}

struct Part {
    page: &'static str,
    source: Source,
}

enum Source {
    /// A table of this name within the page.
    Table(&'static str, fn(&House) -> Result<String>),
    /// The whole file.
    File(fn() -> Result<String>),
    /// What `wigwag` prints when called so: the whole page.
    Wigwag(&'static [&'static str]),
}

const PARTS: &[Part] = &[
    Part { page: "spec/codes.md", source: Source::Table("codes", |_| codes()) },
    Part { page: "spec/vectors/codes.json", source: Source::File(codes_vector) },
    Part { page: "spec/limits.md", source: Source::Table("limits", |_| limits()) },
    Part { page: "docs/adr/README.md", source: Source::Table("decisions", decisions) },
    Part { page: "docs/operate/config.md", source: Source::Wigwag(&["config", "print", "--format", "markdown"]) },
    Part { page: "docs/operate/capacity.md", source: Source::Table("capacity", capacity) },
    Part { page: "docs/operate/metrics.md", source: Source::Wigwag(&["metrics"]) },
    Part { page: "docs/operate/exit-codes.md", source: Source::Wigwag(&["exit-codes"]) },
];

impl Part {
    /// The page as it is, and as the code would have it.
    fn old_and_new(&self, house: &House) -> Result<(String, String)> {
        let old = std::fs::read_to_string(house.root().join(self.page)).unwrap_or_default();
        let new = match self.source {
            Source::Table(name, rows) => {
                splice(&old, name, &rows(house)?).with_context(|| format!("in {}", self.page))?
            }
            Source::File(text) => text()?,
            Source::Wigwag(args) => output(house.command(house.built("wigwag")).args(args))?,
        };
        Ok((old, new))
    }
}

fn codes() -> Result<String> {
    let mut table = String::from(
        "| code | name | fault | closes | meaning | what to do |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let (number, name, meaning, advice) = (code.number(), code.name(), code.meaning(), code.advice());
        let (fault, closes) = (fault(*code), closes(*code));
        writeln!(table, "| {number} | {name} | {fault} | {closes} | {meaning} | {advice} |")?;
    }
    Ok(table)
}

fn codes_vector() -> Result<String> {
    let rows = Code::ALL.iter().map(|code| {
        let class = match code.class() {
            Class::ComeBack => "come back",
            Class::Wait => "wait",
            Class::Prove => "prove",
            Class::Stop => "stop",
            Class::Mend => "mend",
            Class::Server => "server",
        };
        let (number, name, meaning, advice) = (code.number(), code.name(), code.meaning(), code.advice());
        let texts = [
            ("name", name),
            ("class", class),
            ("fault", fault(*code)),
            ("closes", closes(*code)),
            ("meaning", meaning),
            ("advice", advice),
        ];
        let texts = texts.map(|(key, text)| Ok(format!("\"{key}\": {}", serde_json::to_string(text)?)));
        let texts: Vec<String> = texts.into_iter().collect::<Result<_>>()?;
        Ok(format!("    {{\"code\": {number}, {}}}", texts.join(", ")))
    });
    let rows: Vec<String> = rows.collect::<Result<_>>()?;
    let about = "Every code, as in spec/codes.md. The class says what a client does about it.";
    Ok(format!("{{\n  \"about\": \"{about}\",\n  \"codes\": [\n{}\n  ]\n}}\n", rows.join(",\n")))
}

fn fault(code: Code) -> &'static str {
    match code.fault() {
        Fault::Peer => "peer",
        Fault::Other => "other",
        Fault::Server => "server",
        Fault::Nobody => "nobody",
    }
}

fn closes(code: Code) -> &'static str {
    match code.closes() {
        Closes::Yes => "yes",
        Closes::No => "no",
        Closes::Hello => "hello",
    }
}

fn limits() -> Result<String> {
    let mut table = String::from("| key | default | unit | code | what it bounds |\n| --- | --- | --- | --- | --- |\n");
    for row in Limits::ROWS {
        let (key, default, unit, doc) = (row.key, row.default, row.unit, row.doc);
        let (number, name) = (row.code.number(), row.code.name());
        writeln!(table, "| `limits.{key}` | {default} | {unit} | {number} {name} | {doc} |")?;
    }
    Ok(table)
}

fn capacity(house: &House) -> Result<String> {
    output(house.command(house.built("wigwag")).args(["capacity", "--markdown"]))
}

fn decisions(house: &House) -> Result<String> {
    let folder = house.root().join("docs/adr");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "README.md" {
            names.push(name);
        }
    }
    names.sort_unstable();
    let mut table = String::from("| decision | status | date |\n| --- | --- | --- |\n");
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name))?;
        let title = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(&name);
        let status = crate::tidy::field(&text, "status").unwrap_or_default();
        let date = crate::tidy::field(&text, "date").unwrap_or_default();
        writeln!(table, "| [{title}]({name}) | {status} | {date} |")?;
    }
    Ok(table)
}

/// `page` with the table `name` replaced by `rows`.
fn splice(page: &str, name: &str, rows: &str) -> Result<String> {
    let open = format!("<!-- generated: {name} -->\n");
    let close = "<!-- end -->";
    let (before, rest) = page.split_once(&open).with_context(|| format!("no line `{}`", open.trim_end()))?;
    let (_, after) =
        rest.split_once(close).with_context(|| format!("no line `{close}` after `{}`", open.trim_end()))?;
    Ok(format!("{before}{open}\n{rows}\n{close}{after}"))
}

fn first_difference<'a>(old: &str, new: &'a str) -> Option<(usize, &'a str)> {
    if old == new {
        return None;
    }
    let same = old.lines().zip(new.lines()).take_while(|(old, new)| old == new).count();
    Some((same + 1, new.lines().nth(same).unwrap_or("nothing more")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\n<!-- generated: t -->\n\nold\n\n<!-- end -->\n\nBy hand.\n";

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() -> Result<()> {
        let fresh = splice(PAGE, "t", "new\n")?;
        assert_eq!(fresh, "# A\n\n<!-- generated: t -->\n\nnew\n\n<!-- end -->\n\nBy hand.\n");
        assert_eq!(first_difference(PAGE, &fresh), Some((5, "new")));
        assert_eq!(first_difference(&fresh, &splice(&fresh, "t", "new\n")?), None);
        Ok(())
    }

    #[test]
    fn a_page_without_the_marks_is_an_error() {
        assert!(splice("# A\n", "t", "").is_err());
        assert!(splice("<!-- generated: t -->\n", "t", "").is_err());
    }

    #[test]
    fn every_code_and_every_limit_has_one_row() -> Result<()> {
        assert_eq!(codes()?.lines().count(), Code::ALL.len() + 2);
        assert_eq!(limits()?.lines().count(), Limits::ROWS.len() + 2);
        Ok(())
    }
}
