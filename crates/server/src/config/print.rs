//! The configuration for people: as a TOML file, as what is in force, and as the reference page.

use std::fmt::Write;

use super::keys::{Config, KEYS, Key, sections};
use super::load::{Loaded, Origin};

/// Every key with its documentation and its default, as a file that can be edited and used.
pub fn default_toml() -> String {
    let mut out = String::from(
        "# Wigwag's configuration. Every key is here with its default: keep the lines that you change.\n\
         # Each key can also be set by the environment variable named beside it, or by `--set section.key=value`.\n",
    );
    let defaults = Config::default();
    for (section, about) in sections() {
        let _ = write!(out, "\n# {}\n[{section}]\n", comment(about));
        for key in KEYS.iter().filter(|key| key.section == section) {
            let _ = writeln!(out, "\n# {}\n# {}", comment(&key.doc), key.env());
            let _ = writeln!(out, "{} = {}", key.name, key.show(&defaults));
        }
    }
    out
}

/// What is in force, with where each value came from. Secrets are not shown.
pub fn effective_toml(loaded: &Loaded) -> String {
    let mut out = String::new();
    for (section, _) in sections() {
        let _ = writeln!(out, "{}[{section}]", if out.is_empty() { "" } else { "\n" });
        for key in KEYS.iter().filter(|key| key.section == section) {
            let origin = match loaded.origins.get(&key.path()) {
                None | Some(Origin::Default) => "default",
                Some(Origin::File) => "file",
                Some(Origin::Env) => "environment",
                Some(Origin::Flag) => "command line",
            };
            let value = key.show(&loaded.config);
            if key.secret && value != "\"\"" {
                let _ = writeln!(out, "# {} is set # {origin}", key.name);
            } else {
                let _ = writeln!(out, "{} = {value} # {origin}", key.name);
            }
        }
    }
    out
}

/// The reference of all keys.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Nothing has to be configured. What is set on the command line wins over the environment, which wins over the file\n\
         (`--config FILE` or `WIGWAG_CONFIG`), which wins over the defaults below. `wigwag config print` writes a file to start from,\n\
         `wigwag config check` finds mistakes in one, and `wigwag config print --effective` shows what is in force and who set it.\n\n\
         - On the command line every key is `--set section.key=value`; lists are separated by commas.\n\
         - In the environment it is `WIGWAG_SECTION_KEY`. `PORT` and `HOST` stand in for `server.listen`, `RUST_LOG` for `log.filter`;\n\
         \x20 an empty variable counts as not set.\n\
         - A secret may be given by a file instead: the key, or the variable, with `_file` at its end.\n\
         - A change needs a restart unless the key says otherwise.\n",
    );
    for (section, about) in sections() {
        let _ = write!(out, "\n## `[{section}]`\n{}\n\n", unwrap_lines(about));
        out.push_str("| key | default | meaning |\n| --- | --- | --- |\n");
        for key in KEYS.iter().filter(|key| key.section == section) {
            let _ = writeln!(out, "| `{}`<br>`{}` | {} | {} |", key.name, key.env(), default_cell(key), meaning(key));
        }
    }
    out
}

fn default_cell(key: &Key) -> String {
    let unit = key.unit();
    let space = if unit.is_empty() { "" } else { " " };
    format!("`{}`{space}{unit}", key.default())
}

fn meaning(key: &Key) -> String {
    let mut text = unwrap_lines(&key.doc).replace('|', "\\|");
    if let Some(how) = key.live {
        let _ = write!(text, " *Without a restart: {how}.*");
    }
    text
}

fn comment(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join("\n# ")
}

fn unwrap_lines(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
