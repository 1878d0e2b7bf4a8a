//! The manual pages, made from the same definitions as the help.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;
use wigwag_terminal::exit::{EXITS, Exit, Failure};

use super::args::Cli;

/// The page `wigwag(1)`.
pub(super) fn man_page() -> Result<Vec<u8>, Failure> {
    render().map_err(|why| Exit::Failed.because(why))
}

/// A page for each command, in a folder.
pub(super) fn man_pages(folder: &Path) -> Result<Exit, Failure> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .and_then(|()| std::fs::write(folder.join("wigwag.1"), render()?));
    written
        .with_context(|| format!("cannot write to {}", folder.display()))
        .map(|()| Exit::Done)
        .map_err(|why| Exit::Io.because(why))
}

fn render() -> std::io::Result<Vec<u8>> {
    // The long after-help is written for terminals; here its parts get sections of their own.
    let man = Man::new(Cli::command().after_long_help("").after_help(""));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.write_all(ENVIRONMENT.as_bytes())?;
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    for (exit, meaning, remedy) in EXITS {
        let text = format!("{meaning} {remedy}").replace('`', "").replace('-', "\\-");
        writeln!(page, ".TP\n.B {}\n{text}", exit as u8)?;
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

const ENVIRONMENT: &str = r#".SH ENVIRONMENT
.TP
.B WIGWAG_SECTION_KEY
Sets the key \fIsection.key\fR of the configuration; \fBwigwag config print\fR names them all.
The command line wins over the environment, which wins over the file.
.TP
.B WIGWAG_CONFIG
The configuration file, like \fB\-\-config\fR.
.TP
.BR HOST ", " PORT
Stand in for \fIserver.listen\fR.
.TP
.B RUST_LOG
Stands in for \fIlog.filter\fR.
.TP
.B NO_COLOR
Keeps colours out of the log.
.TP
.B STATE_DIRECTORY
The data folder where none is configured, as systemd sets it.
"#;
