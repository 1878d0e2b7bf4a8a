//! Which build this is: the same words for `wigwag version`, `/version` and the metrics.

use serde::Serialize;

/// The build, as `wigwag version --json` and `/version` tell it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Version {
    /// `wigwag`.
    pub name: &'static str,
    /// The release.
    pub version: &'static str,
    /// The commit it was built from, if the builder said so (`WIGWAG_COMMIT` at compile time).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<&'static str>,
    /// The versions of the native protocol that it speaks.
    pub protocols: &'static [&'static str],
    /// The operating system it was built for.
    pub os: &'static str,
    /// The processor it was built for.
    pub arch: &'static str,
}

/// This build.
pub const VERSION: Version = Version {
    name: "wigwag",
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("WIGWAG_COMMIT"),
    protocols: &[wigwag_wire::VERSION],
    os: std::env::consts::OS,
    arch: std::env::consts::ARCH,
};
