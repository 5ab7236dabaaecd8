//! Backends for replays: started, shown, stopped.

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::servers::{NeededServers, Real};
use super::signals::{must_undo, stop_on_signals};
use super::{limits, output};
use crate::replay::Testbed;

/// The backends while a verb replays on them.
pub(super) struct Mounted {
    runtime: Runtime,
    testbed: Option<Testbed>,
    stop: CancellationToken,
}

impl Mounted {
    /// Starts what is wanted for so many replays, and says on stderr what was started.
    pub fn start(real: &Real, replays: usize, needs: NeededServers, natural_expiry: bool) -> anyhow::Result<Self> {
        limits::require_for_replays(real.workers(needs.lock).min(replays))?;
        let wanted = real.wanted(needs)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (testbed, stop) = runtime.block_on(async {
            must_undo(true);
            let stop = stop_on_signals();
            (Testbed::start(&wanted, natural_expiry).await, stop)
        });
        let testbed = testbed?;
        for (role, how) in testbed.backends().describe().into_iter().filter(|(key, _)| key.ends_with("_provision")) {
            output::tell(&format!("{}: {how}", role.trim_end_matches("_provision")));
        }
        testbed.backends().warnings().iter().for_each(|warning| output::tell(&format!("warning: {warning}")));
        Ok(Mounted { runtime, testbed: Some(testbed), stop })
    }

    /// The backends.
    pub fn testbed(&self) -> &Testbed {
        self.testbed.as_ref().expect("it is there until it is taken down")
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
        let Some(testbed) = self.testbed.take() else { return };
        // Containers are dropped within the runtime that they were started in.
        self.runtime.block_on(async {
            if let Err(error) = testbed.remove_traces().await {
                output::tell(&format!("warning: {error}"));
            }
            drop(testbed);
        });
        must_undo(false);
    }
}
