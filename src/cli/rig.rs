//! Backends for replays: started, shown, stopped.

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::servers::Real;
use super::signals::{must_undo, stop_on_signals};
use super::{limits, output};
use crate::replay::Rig;

/// The backends while a verb replays on them.
pub(super) struct Mounted {
    runtime: Runtime,
    rig: Option<Rig>,
    stop: CancellationToken,
}

impl Mounted {
    /// Starts what is wanted for so many replays, and says on stderr what was started.
    pub fn start(real: &Real, replays: usize, needs_lock: bool, natural_expiry: bool) -> anyhow::Result<Self> {
        limits::require_for_replays(real.workers(needs_lock).min(replays))?;
        let wanted = real.wanted(needs_lock)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (rig, stop) = runtime.block_on(async {
            must_undo(true);
            let stop = stop_on_signals();
            (Rig::start(&wanted, natural_expiry).await, stop)
        });
        let rig = rig?;
        for (role, how) in rig.backends().describe().into_iter().filter(|(key, _)| key.ends_with("_provision")) {
            output::tell(&format!("{}: {how}", role.trim_end_matches("_provision")));
        }
        rig.backends().warnings().iter().for_each(|warning| output::tell(&format!("warning: {warning}")));
        Ok(Mounted { runtime, rig: Some(rig), stop })
    }

    /// The backends.
    pub fn rig(&self) -> &Rig {
        self.rig.as_ref().expect("it is there until it is taken down")
    }

    /// Whether the first signal to stop has come.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until somebody says that it is enough.
    pub fn wait_for_signal(&self) {
        self.runtime.block_on(self.stop.cancelled());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Some(rig) = self.rig.take() else { return };
        // Containers are dropped within the runtime that they were started in.
        self.runtime.block_on(async {
            if let Err(error) = rig.remove_traces().await {
                output::tell(&format!("warning: {error}"));
            }
            drop(rig);
        });
        must_undo(false);
    }
}
