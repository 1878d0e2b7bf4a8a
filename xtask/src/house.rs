//! Where the house stands, and how commands are run in it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The checked-out repository and its build folder.
pub(crate) struct House {
    root: PathBuf,
    target: PathBuf,
}

impl House {
    /// Finds the repository that this was called in: not the one it was built from, for where several share a build folder they share
    /// this program.
    pub(crate) fn find() -> Result<Self> {
        let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = std::env::current_dir().ok();
        let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = [told, here, Some(built)].into_iter().flatten().find_map(|folder| house_around(&folder));
        let root = root.context("this was called outside of the repository, and the one it was built from is gone")?;
        let mut cargo = tool(&root, cargo_program());
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Metadata = serde_json::from_str(&output(&mut cargo)?)?;
        Ok(Self { root, target: metadata.target_directory })
    }

    /// The top folder of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A place of its own for `name` under the build folder, kept from run to run.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// A program that [`House::build`] made.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A program that was built for release.
    pub(crate) fn released(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Builds every program of the workspace with the features that the tests have, so that nothing is built twice.
    pub(crate) fn build(&self) -> Result<()> {
        run(&mut self.cargo(["build", "--workspace", "--bins", "--examples", "--locked"]))
    }

    /// `cargo` with `args`, to be run at the top.
    pub(crate) fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.command(cargo_program());
        command.args(args);
        command
    }

    /// Any program, to be run at the top.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        tool(&self.root, program)
    }
}

/// Runs `command`, showing it and all it prints.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.status().with_context(|| format!("cannot run {}", words(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", words(command));
    }
    Ok(())
}

/// Runs `command` and hands each line it prints to `each`, after showing it. Returns whether it
/// succeeded.
pub(crate) fn run_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    show(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", words(command)))?;
    let lines = BufReader::new(child.stdout.take().context("no output to read")?);
    for line in lines.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        each(&line);
    }
    Ok(child.wait()?.success())
}

/// Runs `command` quietly and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", words(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", words(command), output.status);
    }
    String::from_utf8(output.stdout).context("output is not UTF-8")
}

/// The nearest folder, from this one upwards, that holds a workspace with these tasks.
fn house_around(folder: &Path) -> Option<PathBuf> {
    let is_house = |top: &&Path| ["Cargo.toml", "xtask/Cargo.toml"].iter().all(|file| top.join(file).is_file());
    folder.ancestors().find(is_house).map(Path::to_owned)
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A command that does not see what `cargo run` told this process about the package `xtask`:
/// build scripts that watch such variables would otherwise run again.
fn tool(root: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    for (key, _) in std::env::vars_os() {
        let private = key.to_str().is_some_and(|key| {
            key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_") || key.starts_with("CARGO_BIN_")
        });
        if private || key == "LD_LIBRARY_PATH" {
            command.env_remove(key);
        }
    }
    command
}

fn show(command: &Command) {
    println!("$ {}", words(command));
    // What the child prints must not overtake what we printed.
    std::io::stdout().flush().ok();
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_house_is_the_one_around_the_folder_and_other_workspaces_in_it_are_none() {
        let top = std::env::temp_dir().join(format!("wigwag-house-{}", std::process::id()));
        for folder in ["xtask/src", "fuzz/src"] {
            std::fs::create_dir_all(top.join(folder)).unwrap();
        }
        for file in ["Cargo.toml", "xtask/Cargo.toml", "fuzz/Cargo.toml"] {
            std::fs::write(top.join(file), "").unwrap();
        }
        for folder in ["", "xtask", "xtask/src", "fuzz", "fuzz/src"] {
            assert_eq!(house_around(&top.join(folder)), Some(top.clone()), "from {folder:?}");
        }
        assert_eq!(house_around(&std::env::temp_dir()), None);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
