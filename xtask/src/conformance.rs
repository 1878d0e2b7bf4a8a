//! RFC 6455 conformance: the protocol cases of the Autobahn test suite against an echo on the server's own socket layer.
//! The suite is a Python package; its sources are fetched once, pinned by hash, and read by `conformance/autobahn.py`.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::house::{House, run};

/// Starts the echo and runs the cases; with `only`, those whose number begins with it.
pub(crate) fn check(house: &House, only: Option<&str>) -> Result<()> {
    let suite = suite(house)?;
    let folder = house.root().join(TOOLS);
    house.build()?;
    let echo = Echo::start(house)?;
    let mut cases = house.command("python3");
    cases.arg(folder.join("autobahn.py")).arg("--suite").arg(suite).arg(format!("ws://127.0.0.1:{}/", echo.port));
    run(cases.args(only.iter().flat_map(|number| ["--only", number])))
}

const TOOLS: &str = "xtask/conformance";

/// How long the echo may take to listen.
const START: Duration = Duration::from_secs(20);

/// The suite's source package, fetched if it is not there yet.
fn suite(house: &House) -> Result<PathBuf> {
    let scratch = house.scratch("conformance");
    if let Some(found) = source_package(&scratch) {
        return Ok(found);
    }
    let python_env = scratch.join("python");
    run(house.command("python3").args(["-m", "venv"]).arg(&python_env))
        .context("python3 with its venv module is needed (Debian: apt install python3 python3-venv)")?;
    let mut pip = house.command(python_env.join("bin/pip"));
    pip.args(["download", "--quiet", "--no-deps", "--require-hashes", "--dest"]).arg(&scratch).arg("--requirement");
    run(pip.arg(house.root().join(TOOLS).join("requirements.txt")))?;
    source_package(&scratch).context("pip fetched something else than a source package")
}

fn source_package(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.extension() == Some(OsStr::new("gz")))
}

/// The echo, which ends with this value.
struct Echo {
    process: Child,
    port: u16,
}

impl Echo {
    fn start(house: &House) -> Result<Self> {
        // The port is free now and nobody else here asks for one.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command: Command = house.command(house.built("examples/echo"));
        let process =
            command.args(["--listen", &format!("127.0.0.1:{port}")]).spawn().context("cannot start the echo")?;
        let mut echo = Self { process, port };
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = echo.process.try_wait()? {
                bail!("the echo ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("the echo does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing left to do.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
