//! An actor at work beside a delivery, for as long as this lives.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::FaultyPort;
use crate::strategy::Actor;
use crate::terms::{Failure, LeaseId, Trouble};
use crate::world::World;

/// What an actor panicked with, if one did.
#[derive(Clone, Default)]
pub(super) struct ActorPanic(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl ActorPanic {
    fn keep(&self, panic: Box<dyn Any + Send>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
    }

    /// Takes it.
    pub fn take(&self) -> Option<Box<dyn Any + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An actor at work. It is gone when this is dropped, and what it was at with it.
pub(super) struct Beside {
    stands_still: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Beside {
    /// Has an actor work for a lease, round after round, over a port of its own.
    pub fn start(
        actor: &'static dyn Actor,
        port: FaultyPort,
        lease: LeaseId,
        every: Duration,
        panicked: ActorPanic,
    ) -> Self {
        let stands_still = watch::Sender::new(false);
        let rounds = rounds(actor, port, lease, every, stands_still.subscribe());
        let work = async move {
            if let Err(panic) = AssertUnwindSafe(rounds).catch_unwind().await {
                panicked.keep(panic);
            }
        };
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
        match actor.work(&mut World::new(&mut port), lease).await {
            // The service was out of reach, or nobody knows: the next round may do better.
            Ok(()) | Err(Trouble::Failed(Failure::Unavailable) | Trouble::Unknown | Trouble::InProgress) => {}
            Err(Trouble::Failed(_) | Trouble::Refused) => return,
        }
    }
}
