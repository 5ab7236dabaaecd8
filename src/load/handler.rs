//! Handlers: each works on one delivery at a time, through a port of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::network::{Answered, Parcel};
use super::outside::Outside;
use crate::fault::{FaultKind, FaultyPort};
use crate::history::What;
use crate::strategy::Strategy;
use crate::world::{Reply, World};

/// A server worker.
pub(super) struct Handler {
    pub number: u16,
    pub strategy: Arc<dyn Strategy>,
    pub port: FaultyPort,
    /// How long it is away after a crash.
    pub restart: Duration,
    pub outside: Arc<Outside>,
}

impl Handler {
    /// Works until nobody can send it anything any more.
    pub async fn run(mut self, mut inbox: UnboundedReceiver<Parcel>) {
        while let Some(parcel) = inbox.recv().await {
            if let Some(reply) = self.handle(&parcel).await {
                self.port.note(What::Answered { reply, heard: !parcel.loses_reply });
                if !parcel.loses_reply {
                    let Parcel { request, delivery, reply_to, .. } = parcel;
                    // A client that has ended no longer listens.
                    let _ = reply_to.send(Answered { message: request.id, delivery, handler: self.number, reply });
                }
            }
        }
    }

    /// The strategy's reply, or nothing if the delivery came to an end before there was one.
    async fn handle(&mut self, parcel: &Parcel) -> Option<Reply> {
        let downfall = self.port.downfall();
        self.port.begin(parcel.request.id, parcel.delivery);
        self.outside.pulse.begins(self.number, parcel.request.id);
        let mut world = World::new(&mut self.port);
        let end = tokio::select! {
            biased;
            reply = self.strategy.handle(&mut world, &parcel.request) => Ok(reply),
            mishap = downfall.wait() => Err(mishap),
        };
        self.port.end();
        self.outside.pulse.ends(self.number);
        if end == Err(FaultKind::Crash) {
            tokio::time::sleep(self.restart).await;
        }
        end.ok()
    }
}
