//! Handlers that take several of the deliveries that wait for them, and have them handled at once.

use std::collections::VecDeque;

use tokio::sync::mpsc::UnboundedReceiver;

use super::handler::{Handler, Panic, befalls, unpanicked};
use super::network::Parcel;
use crate::history::What;
use crate::terms::{Reply, Request};
use crate::world::World;

impl Handler {
    /// As [`run`](Handler::run), with as many deliveries at once as wait and as the strategy may be given.
    pub(super) async fn run_in_batches(mut self, mut inbox: UnboundedReceiver<Parcel>) -> Result<(), Panic> {
        let largest = self.strategy.largest_batch();
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Some(parcel) = inbox.recv().await else { return Ok(()) };
                waiting.push_back(parcel);
            }
            while waiting.len() < largest
                && let Ok(parcel) = inbox.try_recv()
            {
                waiting.push_back(parcel);
            }
            let batch = next_batch(&mut waiting, largest);
            if let Some(replies) = self.handle_batch(&batch).await? {
                for (parcel, reply) in batch.into_iter().zip(replies) {
                    let (message, delivery) = (parcel.request.id, parcel.delivery);
                    self.port.note_of(message, delivery, What::Answered { reply, heard: !parcel.loses_reply });
                    parcel.answer(self.number, reply);
                }
            }
        }
    }

    /// The strategy's replies, or nothing if the batch came to an end before there were any.
    async fn handle_batch(&mut self, batch: &[Parcel]) -> Result<Option<Vec<Reply>>, Panic> {
        let downfall = self.port.downfall();
        self.port.begin_batch(batch.iter().map(|parcel| (parcel.request.id, parcel.delivery)));
        batch.iter().for_each(|parcel| self.newcomers.tell(&parcel.request));
        let requests: Vec<Request> = batch.iter().map(|parcel| parcel.request).collect();
        let working = self.outside.pulse.begins(self.number, batch[0].request.id);
        let mut world = World::new(&mut self.port);
        let end = tokio::select! {
            biased;
            replies = unpanicked(self.strategy.handle_batch(&mut world, &requests)) => Ok(replies?),
            mishap = befalls(&downfall, batch) => Err(mishap),
        };
        drop(working);
        self.leave(end).await
    }
}

/// The deliveries that are handled next, in the order of their ids, each of another request. The others stay.
fn next_batch(waiting: &mut VecDeque<Parcel>, largest: usize) -> Vec<Parcel> {
    let mut batch: Vec<Parcel> = Vec::with_capacity(waiting.len().min(largest));
    let mut stay = VecDeque::new();
    for parcel in waiting.drain(..) {
        let place = batch.binary_search_by_key(&parcel.request.id, |other| other.request.id);
        match place {
            Err(place) if batch.len() < largest => batch.insert(place, parcel),
            Ok(_) | Err(_) => stay.push_back(parcel),
        }
    }
    *waiting = stay;
    batch
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::super::network::ReplyTo;
    use super::*;
    use crate::terms::{AccountId, ClientId, Delivery, Effect, MessageId};

    #[test]
    fn a_batch_is_in_the_order_of_ids_and_has_each_request_once() {
        let parcel = |(id, attempt): (u32, u8)| Parcel {
            request: Request {
                id: MessageId(id),
                client: ClientId(0),
                sequence: id,
                effect: Effect { account: AccountId(0), amount: 1 },
            },
            delivery: Delivery { attempt, copy: 0 },
            loses_reply: false,
            reply_to: ReplyTo::Client(unbounded_channel().0),
        };
        let mut waiting: VecDeque<Parcel> = [(7, 0), (3, 0), (7, 1), (5, 0), (3, 1), (9, 0)].map(parcel).into();
        let ids = |batch: &[Parcel]| {
            batch.iter().map(|parcel| (parcel.request.id.0, parcel.delivery.attempt)).collect::<Vec<_>>()
        };
        assert_eq!(ids(&next_batch(&mut waiting, 3)), [(3, 0), (5, 0), (7, 0)]);
        // What stays comes next, in the order in which it came.
        assert_eq!(ids(&next_batch(&mut waiting, 3)), [(3, 1), (7, 1), (9, 0)]);
        assert!(waiting.is_empty());
    }
}
