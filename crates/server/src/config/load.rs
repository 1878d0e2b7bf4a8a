//! The layers: flags over environment over file over defaults.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::compat::Compat;
use super::keys::{Config, KEYS, Key, key, sections};
use super::problem::{Place, Problem, Problems, did_you_mean};
use super::types::Data;
use super::value::Raw;

/// One option of the command line that sets a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// As the user wrote it: `--listen`.
    pub shown: String,
    /// The key that it sets: `server.listen`.
    pub key: String,
    /// The value.
    pub value: Raw,
}

/// Everything a configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// The command line, in order; a later option wins.
    pub flags: Vec<Flag>,
    /// The server that this one stands in for: its defaults lie below everything.
    pub compat: Option<Compat>,
}

/// Which layer a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// The environment.
    Env,
    /// The command line.
    Flag,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// The layer of each key that somebody set, by path.
    pub origins: BTreeMap<String, Origin>,
    /// What is odd but not wrong.
    pub warnings: Vec<Problem>,
}

/// Lays the sources over each other. All problems are reported, not just the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut loader = Loader::default();
    if let Some(compat) = sources.compat {
        loader.stand_in(compat, &sources.env);
    }
    if let Some((path, text)) = &sources.file {
        loader.file(path, text);
    }
    loader.env(&sources.env);
    loader.flags(&sources.flags);
    loader.read_secret_files();
    loader.fill_in();
    let Loader { config, places, mut problems, .. } = loader;
    check::check(&config, &|path| places.get(path).map_or(Place::Whole, |(_, place)| place.clone()), &mut problems);
    if problems.errors.is_empty() {
        let origins = places.into_iter().map(|(path, (origin, _))| (path, origin)).collect();
        Ok(Loaded { config, origins, warnings: problems.warnings })
    } else {
        Err(problems)
    }
}

#[derive(Default)]
struct Loader {
    config: Config,
    compat: Option<Compat>,
    /// Where the value in force of each key was set.
    places: BTreeMap<String, (Origin, Place)>,
    problems: Problems,
}

impl Loader {
    fn error(&mut self, problem: Problem) {
        self.problems.errors.push(problem);
    }

    fn set(&mut self, key: &Key, raw: &Raw, origin: Origin, place: Place) {
        match key.set(&mut self.config, raw) {
            Ok(()) => {
                self.places.insert(key.path(), (origin, place));
            }
            Err(why) => self.error(Problem::new(place, format!("{}: {why}", key.path()))),
        }
    }

    fn stand_in(&mut self, compat: Compat, env: &[(String, String)]) {
        self.compat = Some(compat);
        for (path, raw) in compat.defaults(&|wanted| set_in(env, wanted)) {
            let done = key(path).map_or(Ok(()), |key| key.set(&mut self.config, &raw));
            if let Err(why) = done {
                self.error(Problem::new(Place::Whole, format!("{path}: {why}")));
            }
        }
    }

    fn file(&mut self, path: &Path, text: &str) {
        let place = |span: Range<usize>| place_in(path, text, span.start);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = place(error.span().unwrap_or_default());
            self.error(Problem::new(at, format!("not TOML: {}", error.message())));
        }
        for (section, body) in document.get_ref() {
            let at = place(section.span());
            let section = section.get_ref().as_ref();
            if !sections().any(|(name, _)| name == section) {
                self.error(unknown_section(at, section));
                continue;
            }
            let DeValue::Table(table) = body.get_ref() else {
                let problem = Problem::new(at, format!("`{section}` is a section"));
                self.error(problem.hint(format!("write `[{section}]` and its keys below it")));
                continue;
            };
            for (name, value) in table {
                let path = format!("{section}.{}", name.get_ref());
                match key(&path) {
                    Some(key) => self.set(key, &raw(value), Origin::File, place(value.span())),
                    None => self.error(unknown_key(place(name.span()), &path)),
                }
            }
        }
    }

    fn env(&mut self, env: &[(String, String)]) {
        let look = |wanted: &str| set_in(env, wanted);
        self.env_stand_ins(&look);
        for key in KEYS.iter() {
            let name = key.env();
            if let Some(value) = look(&name) {
                self.set(key, &Raw::Text(value.clone()), Origin::Env, Place::Env(name));
            }
        }
        for (name, value) in env {
            let foreign = value.is_empty() || !name.starts_with("WIGWAG_") || OTHER_ENV.contains(&name.as_str());
            // A Kubernetes service called "wigwag" puts these into every container near it.
            let kubernetes = name.starts_with("WIGWAG_SERVICE_") || name.starts_with("WIGWAG_PORT");
            if foreign || kubernetes || KEYS.iter().any(|key| key.env() == *name) {
                continue;
            }
            let names: Vec<String> = KEYS.iter().map(Key::env).collect();
            let mut problem = Problem::new(Place::Env(name.clone()), "no key has this name; it is ignored");
            problem.hint = did_you_mean(name, names.iter().map(String::as_str));
            self.problems.warnings.push(problem);
        }
    }

    /// `HOST`, `PORT` and `RUST_LOG`, which hosting platforms and people set by habit. The key's own variable wins.
    fn env_stand_ins<'a>(&mut self, look: &impl Fn(&str) -> Option<&'a String>) {
        let (host, port) = (look("HOST"), look("PORT"));
        if let (Some(listen), true) = (key("server.listen"), host.is_some() || port.is_some()) {
            let place = Place::Env(if port.is_some() { "PORT" } else { "HOST" }.into());
            let host = host.map_or("[::]", String::as_str);
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.into() };
            let usual = self.compat.map_or("8080", Compat::port);
            let port = port.map_or(usual, String::as_str);
            self.set(listen, &Raw::Text(format!("{host}:{port}")), Origin::Env, place);
        }
        if let (Some(filter), Some(value)) = (key("log.filter"), look("RUST_LOG")) {
            self.set(filter, &Raw::Text(value.clone()), Origin::Env, Place::Env("RUST_LOG".into()));
        }
    }

    fn flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let place = Place::Flag(flag.shown.clone());
            match key(&flag.key) {
                Some(key) => self.set(key, &flag.value, Origin::Flag, place),
                None => self.error(unknown_key(place, &flag.key)),
            }
        }
    }

    /// A secret may be given itself or by a file; of the two, the higher layer wins.
    fn read_secret_files(&mut self) {
        for secret in KEYS.iter().filter(|key| key.secret) {
            let (path, file_path) = (secret.path(), format!("{}_file", secret.path()));
            let file = secret_file(&self.config, &path);
            let Some((origin, place)) = self.places.get(&file_path).cloned() else {
                continue;
            };
            if file.as_os_str().is_empty() {
                continue;
            }
            let itself = self.places.get(&path).map(|(origin, _)| *origin);
            if itself > Some(origin) {
                continue;
            }
            if itself == Some(origin) && secret.show(&self.config) != secret.default() {
                let what = format!("both `{path}` and `{file_path}` are set");
                self.error(Problem::new(place, what).hint("keep one of them"));
                continue;
            }
            let said = |what: String| Problem::new(place.clone(), format!("{file_path}: {what}"));
            match std::fs::read_to_string(&file) {
                Ok(text) if text.trim().is_empty() => {
                    self.error(said(format!("{} is empty", file.display())));
                }
                Ok(text) => self.set(secret, &Raw::Str(text.trim().into()), origin, place),
                Err(why) => self.error(said(format!("cannot read {}: {why}", file.display()))),
            }
        }
    }

    /// Replaces what depends on the surroundings by what it stands for.
    fn fill_in(&mut self) {
        let server = &mut self.config.server;
        if server.name.is_empty() {
            server.name = server.public_url.host().unwrap_or("localhost").into();
        }
        if server.data == Data::Platform {
            match crate::store::default_data_dir().ok() {
                Some(folder) => server.data = Data::Folder(folder),
                None => self.error(
                    Problem::new(Place::Whole, "server.data: this platform names no place for a user's data")
                        .hint("set `--data DIR`, or `--data :memory:` to keep nothing"),
                ),
            }
        }
    }
}

/// A variable of the environment. Empty means "not set": compose files pass empty values for variables that nobody gave.
fn set_in<'a>(env: &'a [(String, String)], wanted: &str) -> Option<&'a String> {
    env.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value)
}

/// Variables of ours that are not keys.
const OTHER_ENV: [&str; 2] = ["WIGWAG_CONFIG", "WIGWAG_COMPAT"];

fn secret_file(config: &Config, secret: &str) -> PathBuf {
    match secret {
        "ice.credential" => config.ice.credential_file.clone(),
        "ice.secret" => config.ice.secret_file.clone(),
        "admin.token" => config.admin.token_file.clone(),
        _ => PathBuf::new(),
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::Boolean(b) => Raw::Bool(*b),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Raw::Other("a number that is too large"), Raw::Int)
        }
        DeValue::String(s) => Raw::Str(s.as_ref().into()),
        DeValue::Array(items) => Raw::List(items.iter().map(raw).collect()),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn place_in(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place::File {
        path: path.into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

fn unknown_section(place: Place, section: &str) -> Problem {
    let mut problem = Problem::new(place, format!("there is no section `{section}`"));
    let owner = KEYS.iter().find(|key| key.name == section);
    problem.hint = match owner {
        Some(key) => Some(format!("did you mean `{}`? It belongs into `[{}]`", key.path(), key.section)),
        None => did_you_mean(section, sections().map(|(name, _)| name)),
    };
    problem
}

fn unknown_key(place: Place, path: &str) -> Problem {
    let mut problem = Problem::new(place, format!("there is no key `{path}`"));
    let (section, name) = path.split_once('.').unwrap_or(("", path));
    let elsewhere = KEYS.iter().find(|key| key.name == name).map(|key| format!("did you mean `{}`?", key.path()));
    let nearby = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
    let all: Vec<String> = KEYS.iter().map(Key::path).collect();
    problem.hint =
        elsewhere.or_else(|| did_you_mean(name, nearby)).or_else(|| did_you_mean(path, all.iter().map(String::as_str)));
    problem
}
