//! An actor at work beside a delivery, for as long as this lives.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::FaultyPort;
use crate::strategy::Actor;
use crate::terms::{LeaseId, Trouble};
use crate::world::World;

/// An actor at work. It is gone when this is dropped, and what it was at with it.
pub(super) struct Beside {
    stands_still: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Beside {
    /// Has an actor work for a lease, round after round, over a port of its own.
    pub fn start(actor: &'static dyn Actor, port: FaultyPort, lease: LeaseId, every: Duration) -> Self {
        let stands_still = watch::Sender::new(false);
        let work = rounds(actor, port, lease, every, stands_still.subscribe());
        Beside { stands_still, _task: AbortOnDropHandle::new(tokio::spawn(work)) }
    }

    /// Its process stands still, or goes on.
    pub fn stand_still(&self, still: bool) {
        self.stands_still.send_replace(still);
    }
}

async fn rounds(
    actor: &'static dyn Actor,
    mut port: FaultyPort,
    lease: LeaseId,
    every: Duration,
    mut stands_still: watch::Receiver<bool>,
) {
    loop {
        sleep(every).await;
        if stands_still.wait_for(|still| !still).await.is_err() {
            return;
        }
        // What failed for certain will fail again; of what is unknown the next round knows more.
        if let Err(Trouble::Failed(_)) = actor.work(&mut World::new(&mut port), lease).await {
            return;
        }
    }
}
