//! What a trial shares with whoever watches over it from outside.

use std::num::NonZeroU16;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pulse::Pulse;

/// Where a trial is watched from: never from the threads that its strategy runs on, which may stand still.
#[derive(Debug)]
pub struct Outside {
    /// The trial's signs of life.
    pub pulse: Pulse,
    home: Handle,
    over: CancellationToken,
    disturbances: TaskTracker,
}

impl Outside {
    /// From the runtime that this is called on, for a trial with so many handlers.
    #[must_use]
    pub fn here(handlers: NonZeroU16) -> Self {
        Outside {
            pulse: Pulse::new(handlers),
            home: Handle::current(),
            over: CancellationToken::new(),
            disturbances: TaskTracker::new(),
        }
    }

    /// Disturbs servers from here, until the token that the disturbance is given is cancelled.
    pub(super) fn disturb<T, F>(&self, disturbance: impl FnOnce(CancellationToken) -> F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.disturbances.spawn_on(disturbance(self.over.clone()), &self.home)
    }

    /// The disturbances are to end and to be undone.
    pub(super) fn calm(&self) {
        self.over.cancel();
    }

    /// Ends the disturbances, and waits until all is undone and the servers are well again.
    pub(super) async fn calmed(&self) {
        self.calm();
        self.disturbances.close();
        self.disturbances.wait().await;
    }
}
