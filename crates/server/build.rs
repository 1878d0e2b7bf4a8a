//! Lists what is built in as text: the modules of the browser SDK, and those of the page with its styles. Whoever adds
//! one changes another that imports it, or the package's list of entries.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    list("../../sdk/web", &["js"], "modules.rs")?;
    list("src/http/page/app", &["js", "css"], "page.rs")
}

/// Writes what to include of a folder: pairs of a name and a text, in the order of the names.
fn list(folder: &str, kinds: &[&str], into: &str) -> io::Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join(folder);
    println!("cargo::rerun-if-changed={}", folder.join("package.json").display());
    let mut files = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| kinds.iter().any(|kind| extension == *kind)));
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.canonicalize()?).map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join(into), list)
}
