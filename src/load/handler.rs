//! Handlers: each works on one delivery at a time, through a port of its own.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;

use super::network::Parcel;
use super::outside::Outside;
use super::residents::Newcomers;
use crate::fault::{Downfall, FaultyPort};
use crate::history::What;
use crate::strategy::Strategy;
use crate::terms::{FaultKind, Reply};
use crate::world::World;

/// What a strategy panicked with.
pub(super) struct Panic(pub Box<dyn Any + Send>);

/// What a strategy replies, unless it panics: its panic is no bug of the lab's.
pub(super) async fn unpanicked<T>(handling: impl Future<Output = T>) -> Result<T, Panic> {
    AssertUnwindSafe(handling).catch_unwind().await.map_err(Panic)
}

/// What befalls a handler at work on these deliveries. If their clients leave, the servers have seen it then.
pub(super) async fn befalls(downfall: &Downfall, parcels: &[Parcel]) -> FaultKind {
    let mishap = downfall.wait().await;
    if mishap == FaultKind::Cancel {
        for parcel in parcels {
            parcel.client_leaves().await;
        }
    }
    mishap
}

/// A server worker.
pub(super) struct Handler {
    pub number: u16,
    pub strategy: Arc<dyn Strategy>,
    pub port: FaultyPort,
    /// How long it is away after a crash.
    pub restart: Duration,
    pub outside: Arc<Outside>,
    /// Whoever works for the system is told of each request.
    pub newcomers: Newcomers,
}

impl Handler {
    /// Works until nobody can send it anything any more.
    ///
    /// # Errors
    /// The strategy's panic.
    pub async fn run(mut self, mut inbox: UnboundedReceiver<Parcel>) -> Result<(), Panic> {
        if self.strategy.largest_batch() > 1 {
            return self.run_in_batches(inbox).await;
        }
        while let Some(parcel) = inbox.recv().await {
            if let Some(reply) = self.handle(&parcel).await? {
                self.port.note(What::Answered { reply, heard: !parcel.loses_reply });
                parcel.answer(self.number, reply);
            }
        }
        Ok(())
    }

    /// The strategy's reply, or nothing if the delivery came to an end before there was one.
    async fn handle(&mut self, parcel: &Parcel) -> Result<Option<Reply>, Panic> {
        let downfall = self.port.downfall();
        self.port.begin(parcel.request.id, parcel.delivery);
        self.newcomers.tell(&parcel.request);
        let working = self.outside.pulse.begins(self.number, parcel.request.id);
        let mut world = World::new(&mut self.port);
        let end = tokio::select! {
            biased;
            reply = unpanicked(self.strategy.handle(&mut world, &parcel.request)) => Ok(reply?),
            mishap = befalls(&downfall, std::slice::from_ref(parcel)) => Err(mishap),
        };
        drop(working);
        self.leave(end).await
    }

    /// Leaves deliveries that have come to an end, and restarts after a crash.
    pub(super) async fn leave<T>(&mut self, end: Result<T, FaultKind>) -> Result<Option<T>, Panic> {
        self.port.end();
        if let Some(panic) = self.port.take_panic() {
            return Err(Panic(panic));
        }
        if matches!(end, Err(FaultKind::Crash)) {
            tokio::time::sleep(self.restart).await;
        }
        Ok(end.ok())
    }
}
