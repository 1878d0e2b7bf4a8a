//! `wigwag config`, and how every command finds its configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::{Out, complain};

use super::args::{PrintFormat, ServeArgs};
use crate::config::{self, Compat, Flag, Loaded, Problems, Sources};

/// Reads the configuration that these options, the environment and the file make. Each problem is named on
/// standard error.
pub(super) fn load(args: &ServeArgs) -> Result<Loaded, Failure> {
    load_for(args, Vec::new())
}

/// The same, with options that the command line of another server has. What `args` says wins.
pub(super) fn load_for(args: &ServeArgs, options: Vec<Flag>) -> Result<Loaded, Failure> {
    config::load(&sources(args, options)?).map_err(|problems| {
        let count = problems.errors.len();
        tell(&problems);
        let what = if count == 1 { "one mistake".into() } else { format!("{count} mistakes") };
        Exit::Config.because(anyhow::anyhow!("the configuration has {what}"))
    })
}

/// `wigwag config print`.
pub(super) fn print(out: &mut Out, args: &ServeArgs, effective: bool, format: PrintFormat) -> Result<Exit, Failure> {
    if format == PrintFormat::Markdown {
        out.bytes(config::markdown().as_bytes())
    } else if effective {
        out.bytes(config::effective_toml(&load(args)?).as_bytes())
    } else {
        out.bytes(config::default_toml().as_bytes())
    }
}

/// `wigwag config check`.
pub(super) fn check(out: &mut Out, args: &ServeArgs) -> Result<Exit, Failure> {
    let loaded = load(args)?;
    for problem in &loaded.warnings {
        complain(&format!("warning: {problem}"));
    }
    let count = loaded.origins.len();
    let set = match count {
        0 => "no keys are set, the defaults are in force".into(),
        1 => "one key is set".into(),
        _ => format!("{count} keys are set"),
    };
    out.line(&format!("The configuration is good: {set}."))
}

fn sources(args: &ServeArgs, mut flags: Vec<Flag>) -> Result<Sources, Failure> {
    let named = || variable("WIGWAG_CONFIG").map(PathBuf::from);
    let file = match args.config.clone().or_else(named) {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|why| {
                Exit::Config.because(anyhow::Error::new(why).context(format!("cannot read {}", path.display())))
            })?;
            Some((path, text))
        }
    };
    // A variable that is not text cannot be one of ours.
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    flags.extend(args.flags());
    Ok(Sources { file, env: env.collect(), flags, compat: compat(args)? })
}

/// The server that this one is to stand in for.
fn compat(args: &ServeArgs) -> Result<Option<Compat>, Failure> {
    if let Some(name) = variable("WIGWAG_COMPAT").filter(|_| args.compat.is_none()) {
        let name = name.to_string_lossy();
        let compat = name.parse().map_err(|why: String| anyhow::anyhow!("environment WIGWAG_COMPAT: {why}"));
        return compat.map(Some).map_err(|why| Exit::Config.because(why));
    }
    Ok(args.compat)
}

/// A variable of ours. An empty one is none.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn tell(problems: &Problems) {
    for problem in &problems.errors {
        complain(&format!("error: {problem}"));
    }
    for problem in &problems.warnings {
        complain(&format!("warning: {problem}"));
    }
}
