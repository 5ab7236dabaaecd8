//! What Kafka does, without I/O, as far as the lab asks it: what a partition remembers of its producers.
//!
//! The records themselves stand in the ledger. Every one of them is committed, since there are no transactions here.

use super::op::{KafkaCall, KafkaOp, KafkaResponse, answer};
use super::past::KafkaPast;
use super::{KafkaModelFlaw, KafkaService};
use crate::service::modelled::{Asker, Called, Model, ModelSettings, Modelled};
use crate::service::{HasIds, Ids};
use crate::terms::{AccountId, Effect, Entry, MessageId, OutcomeOf, Producer, ProducerId, Session};

/// So many of a producer's last batches does a partition remember. An operation is a batch of one record.
const REMEMBERED: u8 = 5;

/// What a partition remembers of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KnownProducer {
    epoch: i16,
    /// The number of its last batch.
    last: u8,
    /// How many batches it remembers, of this epoch: the last ones.
    batches: u8,
}

impl KnownProducer {
    /// One whose first batch in an epoch has this number.
    fn new(epoch: i16, number: u8) -> Self {
        KnownProducer { epoch, last: number, batches: 1 }
    }

    fn remembers(self, number: u8) -> bool {
        self.last.checked_sub(number).is_some_and(|ago| ago < self.batches)
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Appended(KnownProducer),
    Copy,
    OutOfOrder,
    Fenced,
}

/// What becomes of a producer's batch in this epoch and with this number, in a partition that remembers this of the producer.
fn receive(known: Option<KnownProducer>, epoch: i16, number: u8) -> Received {
    // Of whom nothing is known, any number will do.
    let Some(known) = known else { return Received::Appended(KnownProducer::new(epoch, number)) };
    match epoch.cmp(&known.epoch) {
        std::cmp::Ordering::Less => Received::Fenced,
        std::cmp::Ordering::Greater if number == 0 => Received::Appended(KnownProducer::new(epoch, 0)),
        std::cmp::Ordering::Greater => Received::OutOfOrder,
        std::cmp::Ordering::Equal if known.remembers(number) => Received::Copy,
        std::cmp::Ordering::Equal if known.last.checked_add(1) == Some(number) => {
            let batches = (known.batches + 1).min(REMEMBERED);
            Received::Appended(KnownProducer { last: number, batches, ..known })
        }
        std::cmp::Ordering::Equal => Received::OutOfOrder,
    }
}

/// The partitions of the output topic, one for each account. Few producers, so that a list in their order does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KafkaPartitions {
    producers: Vec<((AccountId, ProducerId), KnownProducer)>,
    flaw: Option<KafkaModelFlaw>,
}

impl KafkaPartitions {
    fn respond(&mut self, op: KafkaOp, by: &Asker, ledger: &mut Vec<Entry>) -> KafkaResponse {
        match op.call() {
            KafkaCall::InitProducerId => {
                let id = u32::try_from(by.id).unwrap_or(u32::MAX);
                KafkaResponse::Initialized(Producer { id: ProducerId(id), epoch: 0 })
            }
            KafkaCall::Produce(message, effect) => append(message, effect, by, ledger),
            KafkaCall::ProduceNumbered(message, effect, producer, number) => {
                let key = (effect.account, producer.id);
                let place = self.producers.binary_search_by_key(&key, |(its, _)| *its);
                match receive(place.ok().map(|at| self.producers[at].1), producer.epoch, number) {
                    Received::Appended(known) => {
                        match place {
                            Ok(at) => self.producers[at].1 = known,
                            Err(at) => self.producers.insert(at, (key, known)),
                        }
                        append(message, effect, by, ledger)
                    }
                    Received::Copy if self.flaw == Some(KafkaModelFlaw::KeepsCopies) => {
                        append(message, effect, by, ledger)
                    }
                    // Whatever the copy says: the broker looks at its number alone.
                    Received::Copy => KafkaResponse::Appended(answer(effect)),
                    Received::OutOfOrder => KafkaResponse::OutOfOrder,
                    Received::Fenced => KafkaResponse::Fenced,
                }
            }
        }
    }
}

/// Appends a record.
fn append(message: MessageId, effect: Effect, by: &Asker, ledger: &mut Vec<Entry>) -> KafkaResponse {
    ledger.push(Entry {
        role: by.role,
        number: ledger.len() as u64 + 1,
        message,
        account: effect.account,
        amount: effect.amount.into(),
        balance: effect.amount.into(),
        token: None,
        by: by.by,
    });
    KafkaResponse::Appended(answer(effect))
}

impl Model for KafkaPartitions {
    type Op = KafkaOp;
    type Response = KafkaResponse;

    fn call(&mut self, _: Session, op: &KafkaOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<KafkaResponse> {
        Ok(OutcomeOf::Ok(self.respond(*op, by, ledger)))
    }

    fn begin_again(&mut self) {
        self.producers.clear();
    }

    fn has_names(&self) -> bool {
        !self.producers.is_empty()
    }

    fn rename(&mut self, _: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        for ((_, producer), _) in &mut self.producers {
            *producer = producer.map_ids(ids);
        }
        self.producers.sort_unstable_by_key(|(key, _)| *key);
    }
}

impl Modelled for KafkaService {
    type Model = KafkaPartitions;
    type Past = KafkaPast;

    fn model(settings: &ModelSettings) -> KafkaPartitions {
        KafkaPartitions { producers: Vec::new(), flaw: settings.kafka_flaw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of batches, one after the other: `+` appended, `=` a copy, `!` out of order, `x` fenced.
    fn received(batches: &[(i16, u8)]) -> String {
        let mut known = None;
        let mark = |&(epoch, number): &(i16, u8)| match receive(known, epoch, number) {
            Received::Appended(now) => {
                known = Some(now);
                '+'
            }
            Received::Copy => '=',
            Received::OutOfOrder => '!',
            Received::Fenced => 'x',
        };
        batches.iter().map(mark).collect()
    }

    #[test]
    fn a_copy_of_one_of_the_last_five_batches_is_none() {
        assert_eq!(received(&[(0, 0), (0, 0), (0, 1), (0, 0), (0, 1)]), "+=+==");
        // The sixth pushes the first out.
        assert_eq!(received(&[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 0), (0, 5), (0, 0), (0, 1)]), "+++++=+!=");
    }

    #[test]
    fn a_gap_is_out_of_order_but_for_whom_nothing_is_known_of() {
        assert_eq!(received(&[(0, 3), (0, 5), (0, 2), (0, 4)]), "+!!+");
    }

    #[test]
    fn a_later_epoch_begins_at_zero_and_fences_those_before_it() {
        assert_eq!(received(&[(0, 0), (1, 1), (1, 0), (0, 1), (0, 0), (1, 0), (1, 1)]), "+!+xx=+");
    }
}
