//! Where the backends of a run come from: in the process, at a URL, or started for the run.

mod leftovers;
mod process;

use super::BackendError;
use process::ServerProcess;

/// How servers that are not embedded are had, where no URL is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provision {
    /// As processes, from the binaries that are installed on this machine.
    #[default]
    Process,
}

impl Provision {
    /// Every way, with its name on the command line.
    pub const NAMES: [(Provision, &'static str); 1] = [(Provision::Process, "process")];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(way, _)| *way == self);
        named.expect("every way has a name").1
    }
}

/// A server that was started for the run, and where it is. Dropped, it is stopped and what it kept is removed.
pub struct Provided {
    /// What a client connects to.
    pub url: String,
    _server: ServerProcess,
}

/// Starts a PostgreSQL server.
///
/// # Errors
/// [`BackendError`] if it is not installed, or does not start.
pub async fn postgres(provision: Provision) -> Result<Provided, BackendError> {
    leftovers::remove();
    match provision {
        Provision::Process => process::postgres().await,
    }
}

/// Starts an etcd server of one node.
///
/// # Errors
/// [`BackendError`] if it is not installed, or does not start.
pub async fn etcd(provision: Provision) -> Result<Provided, BackendError> {
    leftovers::remove();
    match provision {
        Provision::Process => process::etcd().await,
    }
}
