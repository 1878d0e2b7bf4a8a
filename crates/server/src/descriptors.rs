//! How many sockets the system lets this process hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs besides its sockets: listeners, the database, the log.
const OTHERS: u64 = 100;

/// Raises the soft limit of open files, which most systems set to 1,024, to the hard one, and says how many there are.
///
/// The low default is there for programs that cannot count further; this one can.
pub(crate) fn raise_limit(sockets: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let now = getrlimit(Resource::Nofile).current;
    let shown = now.map_or_else(|| "unlimited".to_owned(), |now| now.to_string());
    tracing::info!(descriptors = %shown, "open files");
    if sockets != 0 && now.is_some_and(|now| now < sockets.saturating_add(OTHERS)) {
        tracing::info!(
            "the system lets this process hold fewer sockets than limits.sockets ({sockets}): raise LimitNOFILE or ulimit -n"
        );
    }
}
