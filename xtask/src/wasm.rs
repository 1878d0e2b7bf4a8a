//! The pure crates for WebAssembly: by the target that rustup has, or where that cannot be had by Debian's compiler, with a standard library that
//! is built once from Debian's sources. Nothing outside the build folder is changed but rustup's own targets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::deny::PURE;
use crate::house::{House, output, run};
use crate::networks::Skip;

const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's packages `rustc-web`, `cargo-web` and `rust-web-src` put what is needed.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";

/// Builds each pure crate.
pub(crate) fn check(house: &House) -> Result<()> {
    let scratch = house.scratch("wasm");
    if has_target(house, "rustc") || add_target(house) {
        let mut build = house.cargo(["build"]);
        return run(arguments(&mut build).env("CARGO_TARGET_DIR", scratch));
    }
    if ![RUSTC, CARGO, LIBRARY].iter().all(|path| Path::new(path).exists()) {
        bail!(Skip::new(format!("there is no standard library for {TARGET}: rustup target add {TARGET}")));
    }
    let sysroot = sysroot(house, &scratch)?;
    let mut build = house.command(CARGO);
    arguments(build.arg("build")).env("CARGO_TARGET_DIR", scratch.join("debian")).env("RUSTC", RUSTC);
    let flags = format!("--sysroot={}", sysroot.display());
    // With a target named, these are for what is built for it, and not for build scripts.
    run(without_rustup(&mut build).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags))
}

fn arguments(build: &mut Command) -> &mut Command {
    build.args(["--locked", "--target", TARGET]).args(PURE.iter().flat_map(|package| ["--package", package]))
}

fn has_target(house: &House, rustc: &str) -> bool {
    let folder = output(house.command(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| Path::new(folder.trim()).exists())
}

fn add_target(house: &House) -> bool {
    let added = run(house.command("rustup").args(["target", "add", TARGET]));
    added.is_ok() && has_target(house, "rustc")
}

/// A folder with the standard library for Debian's compiler.
fn sysroot(house: &House, scratch: &Path) -> Result<PathBuf> {
    let version = output(without_rustup(house.command(RUSTC).arg("--version")))?;
    let version: String = version.chars().filter(char::is_ascii_alphanumeric).collect();
    let sysroot = scratch.join(format!("sysroot-{version}"));
    if sysroot.exists() {
        return Ok(sysroot);
    }
    let built = scratch.join("std");
    let mut build = house.command(CARGO);
    build.args(["build", "--release", "--locked", "--target", TARGET, "--features", "compiler-builtins-mem"]);
    build.arg("--manifest-path").arg(Path::new(LIBRARY).join("sysroot/Cargo.toml")).current_dir(scratch_made(scratch)?);
    build.env("CARGO_TARGET_DIR", &built).env("RUSTC", RUSTC);
    // The library is built as its makers build it: with what only the compiler's own crates may use.
    build.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_DEFAULT_LIB_METADATA", "stablestd");
    build.env("RUSTFLAGS", "-Cembed-bitcode=yes -Zforce-unstable-if-unmarked");
    build.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    run(without_rustup(&mut build))?;
    // Under its name only when it is whole.
    let unfinished = scratch.join("sysroot-unfinished");
    let _ = std::fs::remove_dir_all(&unfinished);
    let libraries = unfinished.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::create_dir_all(&libraries)?;
    for entry in std::fs::read_dir(built.join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        if let (Some("rlib"), Some(name)) = (path.extension().and_then(OsStr::to_str), path.file_name()) {
            std::fs::copy(&path, libraries.join(name))?;
        }
    }
    std::fs::rename(&unfinished, &sysroot).context("the new standard library cannot be put in its place")?;
    Ok(sysroot)
}

fn scratch_made(scratch: &Path) -> Result<&Path> {
    std::fs::create_dir_all(scratch)?;
    Ok(scratch)
}

/// What rustup tells its own tools would lead Debian's astray.
fn without_rustup(command: &mut Command) -> &mut Command {
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC_WRAPPER").env_remove("CARGO")
}
