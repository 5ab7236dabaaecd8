//! The alarm: a backend has broken down, and the trial must stop.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::service::BackendError;
use crate::terms::Role;

/// Raised once, by the first backend that breaks down; everybody can see it.
#[derive(Clone, Default)]
pub struct Alarm {
    first: Arc<OnceLock<(Role, BackendError)>>,
    raised: CancellationToken,
}

impl Alarm {
    /// Raises the alarm because of the service in a role. Only the first reason is kept: the others follow from it.
    pub fn raise(&self, role: Role, error: BackendError) {
        let _ = self.first.set((role, error));
        self.raised.cancel();
    }

    /// Waits until the alarm is raised.
    pub async fn raised(&self) {
        self.raised.cancelled().await;
    }

    /// Why the alarm was raised, and because of which service, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<&(Role, BackendError)> {
        self.first.get()
    }
}
