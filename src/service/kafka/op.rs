//! What can be asked of a Kafka, and what it answers.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned, another, asker_of, lane_name};
use crate::service::written::message_and_effect;
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{AccountId, Answer, Effect, Failure, MessageId, OutcomeOf, Producer, ProducerId, Request, Trouble};

/// What an operation asks for. The record of an effect goes to the account's partition of the output topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KafkaCall {
    /// InitProducerId without a transactional id: a new producer, in epoch 0.
    InitProducerId,
    /// Produce, idempotence off: appends the effect's record.
    Produce(MessageId, Effect),
    /// Produce as this producer, with this sequence number: appends the effect's record, unless the producer has appended a record of
    /// this number to the partition.
    ProduceNumbered(MessageId, Effect, Producer, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asks {
    InitProducerId,
    Produce,
    ProduceNumbered,
}

/// An operation of Kafka: one request to the broker. Flat and small, as every operation is, since an explorer copies millions of them a
/// second. What an operation does not need is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KafkaOp {
    asks: Asks,
    sequence: u8,
    epoch: i16,
    producer: ProducerId,
    message: MessageId,
    effect: Effect,
}

const INIT_PRODUCER_ID: Kind = Kind { number: 64, name: "init-producer-id", acts: Acts::LEASES };
const PRODUCE: Kind = Kind { number: 65, name: "produce", acts: Acts::APPLIES };
const PRODUCE_NUMBERED: Kind = Kind { number: 66, name: "produce-numbered", acts: Acts::APPLIES.and(Acts::NAMES) };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[INIT_PRODUCER_ID, PRODUCE, PRODUCE_NUMBERED];

/// The partitions of the output topic, by account.
pub(super) const PARTITION: &str = "partition";

const _: () = assert!(size_of::<KafkaOp>() == 20 && size_of::<KafkaResponse>() == 16);

impl KafkaOp {
    const fn new(asks: Asks, message: MessageId, effect: Effect, producer: Producer, sequence: u8) -> Self {
        KafkaOp { asks, sequence, epoch: producer.epoch, producer: producer.id, message, effect }
    }

    /// Begins a producer session.
    #[must_use]
    pub const fn init_producer_id() -> Self {
        let nothing = Effect { account: AccountId(0), amount: 0 };
        KafkaOp::new(Asks::InitProducerId, MessageId(0), nothing, NOBODY, 0)
    }

    /// Appends the record of a request's effect.
    #[must_use]
    pub const fn produce(request: &Request) -> Self {
        KafkaOp::new(Asks::Produce, request.id, request.effect, NOBODY, 0)
    }

    /// Appends the record of a request's effect, as this producer and with this number.
    #[must_use]
    pub const fn produce_numbered(request: &Request, producer: Producer, sequence: u8) -> Self {
        KafkaOp::new(Asks::ProduceNumbered, request.id, request.effect, producer, sequence)
    }

    /// What it asks for.
    #[inline]
    pub(super) fn call(self) -> KafkaCall {
        let KafkaOp { asks, sequence, epoch, producer, message, effect } = self;
        match asks {
            Asks::InitProducerId => KafkaCall::InitProducerId,
            Asks::Produce => KafkaCall::Produce(message, effect),
            Asks::ProduceNumbered => {
                KafkaCall::ProduceNumbered(message, effect, Producer { id: producer, epoch }, sequence)
            }
        }
    }
}

/// No producer.
const NOBODY: Producer = Producer { id: ProducerId(0), epoch: 0 };

/// What is answered when an effect's record is there: it changes no account, so that it is the amount.
pub(super) fn answer(effect: Effect) -> Answer {
    Answer(effect.amount.into())
}

impl Operation for KafkaOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        match self.asks {
            Asks::InitProducerId => &INIT_PRODUCER_ID,
            Asks::Produce => &PRODUCE,
            Asks::ProduceNumbered => &PRODUCE_NUMBERED,
        }
    }

    fn footprint(self) -> Footprint {
        let partition = |effect: Effect| Item { place: PARTITION, which: Whose::Account(effect.account) };
        let writes = match self.call() {
            KafkaCall::InitProducerId => vec![],
            KafkaCall::Produce(_, effect) | KafkaCall::ProduceNumbered(_, effect, ..) => vec![partition(effect)],
        };
        Footprint { reads: vec![], writes }
    }

    fn in_words(self, several: bool) -> String {
        let number = |message: MessageId| if several { (message.0 + 1).to_string() } else { String::new() };
        match self.call() {
            KafkaCall::InitProducerId => "InitProducerId".to_owned(),
            KafkaCall::Produce(message, _) => format!("produce X{}", number(message)),
            KafkaCall::ProduceNumbered(message, _, _, sequence) => {
                format!("produce X{} as number {sequence}", number(message))
            }
        }
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        match kind {
            "init-producer-id" => rest.is_empty().then(KafkaOp::init_producer_id),
            "produce" => message_and_effect(rest)
                .map(|(message, effect)| KafkaOp::new(Asks::Produce, message, effect, NOBODY, 0)),
            "produce-numbered" => {
                let (what, by) = rest.split_once(" by ")?;
                let (producer, sequence) = by.split_once(" number ")?;
                let (message, effect) = message_and_effect(what)?;
                let (producer, sequence) = (producer.parse().ok()?, sequence.parse().ok()?);
                Some(KafkaOp::new(Asks::ProduceNumbered, message, effect, producer, sequence))
            }
            _ => None,
        }
    }
}

impl HasIds for KafkaOp {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self.asks {
            Asks::InitProducerId => self,
            Asks::Produce => KafkaOp { message: self.message.map_ids(ids), effect: self.effect.map_ids(ids), ..self },
            Asks::ProduceNumbered => KafkaOp {
                message: self.message.map_ids(ids),
                effect: self.effect.map_ids(ids),
                producer: self.producer.map_ids(ids),
                ..self
            },
        }
    }
}

impl fmt::Display for KafkaOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name)?;
        match self.call() {
            KafkaCall::InitProducerId => Ok(()),
            KafkaCall::Produce(message, effect) => write!(f, " m{} {effect}", message.0),
            KafkaCall::ProduceNumbered(message, effect, producer, sequence) => {
                write!(f, " m{} {effect} by {producer} number {sequence}", message.0)
            }
        }
    }
}

/// What an operation of Kafka comes to.
pub type KafkaOutcome = OutcomeOf<KafkaResponse>;

/// What came back from an operation of Kafka that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KafkaResponse {
    /// The broker knows this producer from now on.
    Initialized(Producer),
    /// The record is there, now or since before, with this answer.
    Appended(Answer),
    /// The sequence number is not the next one, and none of the last five (OUT_OF_ORDER_SEQUENCE_NUMBER).
    OutOfOrder,
    /// The producer has come in a later epoch (INVALID_PRODUCER_EPOCH).
    Fenced,
}

impl Returned for KafkaResponse {
    type Op = KafkaOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        Some(match text.split_once(' ') {
            Some(("producer", producer)) => KafkaResponse::Initialized(producer.parse().ok()?),
            Some(("appended", answer)) => KafkaResponse::Appended(Answer(answer.parse().ok()?)),
            None if text == "out-of-order" => KafkaResponse::OutOfOrder,
            None if text == "fenced" => KafkaResponse::Fenced,
            Some(_) | None => return None,
        })
    }

    fn in_words(self, _: KafkaOp) -> String {
        match self {
            KafkaResponse::Initialized(producer) => {
                let (lane, attempt, _) = asker_of(producer.id.0.into());
                format!("producer {}{}", lane_name(lane), attempt + 1)
            }
            KafkaResponse::Appended(_) => "appended".to_owned(),
            KafkaResponse::OutOfOrder => "out of order".to_owned(),
            KafkaResponse::Fenced => "fenced".to_owned(),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            KafkaResponse::OutOfOrder | KafkaResponse::Fenced => true,
            KafkaResponse::Initialized(_) | KafkaResponse::Appended(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl HasIds for KafkaResponse {
    #[inline]
    fn has_ids(&self) -> bool {
        matches!(self, KafkaResponse::Initialized(_))
    }

    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            KafkaResponse::Initialized(producer) => KafkaResponse::Initialized(producer.map_ids(ids)),
            other => other,
        }
    }
}

impl fmt::Display for KafkaResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KafkaResponse::Initialized(producer) => write!(f, "producer {producer}"),
            KafkaResponse::Appended(answer) => write!(f, "appended {}", answer.0),
            KafkaResponse::OutOfOrder => f.write_str("out-of-order"),
            KafkaResponse::Fenced => f.write_str("fenced"),
        }
    }
}

impl Given<KafkaResponse> for Producer {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        match *response {
            KafkaResponse::Initialized(producer) => Ok(producer),
            other => another(other),
        }
    }
}

impl Given<KafkaResponse> for Answer {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        match *response {
            KafkaResponse::Appended(answer) => Ok(answer),
            // A producer that goes on after this is another one: the delivery begins anew.
            KafkaResponse::OutOfOrder | KafkaResponse::Fenced => Err(Trouble::Failed(Failure::LeaseExpired)),
            other @ KafkaResponse::Initialized(_) => another(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ClientId;

    const REQUEST: Request = Request {
        id: MessageId(7),
        client: ClientId(0),
        sequence: 7,
        effect: Effect { account: AccountId(3), amount: -5 },
    };
    const PRODUCER: Producer = Producer { id: ProducerId(4000), epoch: 2 };

    #[test]
    fn operations_and_responses_read_back_as_they_are_printed() {
        let numbered = KafkaOp::produce_numbered(&REQUEST, PRODUCER, 4);
        assert_eq!(numbered.to_string(), "produce-numbered m7 -5 to 3 by 4000/2 number 4");
        for op in [KafkaOp::init_producer_id(), KafkaOp::produce(&REQUEST), numbered] {
            let text = op.to_string();
            let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
            assert_eq!(KafkaOp::parse(kind, rest, &REQUEST), Some(op));
        }
        for response in [
            KafkaResponse::Initialized(PRODUCER),
            KafkaResponse::Appended(Answer(-5)),
            KafkaResponse::OutOfOrder,
            KafkaResponse::Fenced,
        ] {
            assert_eq!(KafkaResponse::parse(&response.to_string(), ""), Some(response));
        }
        assert_eq!(KafkaOp::parse("produce", "m7 to 3", &REQUEST), None);
        assert_eq!(KafkaResponse::parse("producer 4000", ""), None);
    }
}
