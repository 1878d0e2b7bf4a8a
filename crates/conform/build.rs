//! Writes down the transcripts of the dialects, each as a text that is built in.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("../../spec/vectors/transcripts");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut list = String::from("const FILES: &[(&str, &str, &str)] = &[\n");
    for dialect in sorted(&folder)?.iter().filter(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", dialect.display());
        for file in sorted(dialect)? {
            let names = (dialect.file_name(), file.file_stem());
            let (Some(dialect), Some(name)) = names else { continue };
            let (dialect, name) = (dialect.to_string_lossy(), name.to_string_lossy());
            writeln!(list, "    ({dialect:?}, {name:?}, include_str!({:?})),", file.canonicalize()?)
                .map_err(io::Error::other)?;
        }
    }
    list.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("files.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
