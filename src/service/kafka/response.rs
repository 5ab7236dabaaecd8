//! What a Kafka answers.

use std::fmt;

use super::op::KafkaOp;
use crate::service::contract::{Given, Returned, another, asker_of, lane_name};
use crate::service::{HasIds, Ids};
use crate::terms::{Answer, Epoch, Failure, MemberId, Offset, OutcomeOf, Producer, Trouble};

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
    /// The producer has come in a later epoch (INVALID_PRODUCER_EPOCH, PRODUCER_FENCED).
    Fenced,
    /// There is no transaction that this could belong to, or that could end so (INVALID_TXN_STATE).
    InvalidState,
    /// A transaction of this id was open, and is aborted: ask again (CONCURRENT_TRANSACTIONS).
    Concurrent,
    /// It is noted.
    Noted,
    /// The transaction has ended, and the producer is in this epoch from now on.
    Ended(Epoch),
    /// The group has come so far; or it has not committed anything yet.
    At(Option<Offset>),
    /// A transaction that is open may change how far the group has come (UNSTABLE_OFFSET_COMMIT).
    Unstable,
    /// Whoever asks is this member of the group from now on.
    Joined(MemberId),
    /// There is no such member of the group any more (UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION).
    NoMember,
    /// The members of the group have not been given their records yet (REBALANCE_IN_PROGRESS).
    Rebalancing,
}

impl Returned for KafkaResponse {
    type Op = KafkaOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        Some(match text.split_once(' ') {
            Some(("producer", producer)) => KafkaResponse::Initialized(producer.parse().ok()?),
            Some(("appended", answer)) => KafkaResponse::Appended(Answer(answer.parse().ok()?)),
            None if text == "out-of-order" => KafkaResponse::OutOfOrder,
            None if text == "fenced" => KafkaResponse::Fenced,
            None if text == "invalid-state" => KafkaResponse::InvalidState,
            None if text == "concurrent" => KafkaResponse::Concurrent,
            None if text == "noted" => KafkaResponse::Noted,
            Some(("epoch", epoch)) => KafkaResponse::Ended(Epoch(epoch.parse().ok()?)),
            Some(("offset", offset)) => KafkaResponse::At(Some(Offset(offset.parse().ok()?))),
            None if text == "no-offset" => KafkaResponse::At(None),
            None if text == "unstable" => KafkaResponse::Unstable,
            Some(("member", member)) => KafkaResponse::Joined(MemberId(member.parse().ok()?)),
            None if text == "no-member" => KafkaResponse::NoMember,
            None if text == "rebalancing" => KafkaResponse::Rebalancing,
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
            KafkaResponse::InvalidState => "no such transaction".to_owned(),
            KafkaResponse::Concurrent => "aborted what was open, ask again".to_owned(),
            KafkaResponse::Noted => "noted".to_owned(),
            KafkaResponse::Ended(Epoch(epoch)) => format!("ended, epoch {epoch}"),
            KafkaResponse::At(Some(Offset(offset))) => format!("offset {offset}"),
            KafkaResponse::At(None) => "no offset".to_owned(),
            KafkaResponse::Unstable => "unstable".to_owned(),
            KafkaResponse::Joined(MemberId(member)) => {
                let (lane, attempt, _) = asker_of(member.into());
                format!("member {}{}", lane_name(lane), attempt + 1)
            }
            KafkaResponse::NoMember => "no member any more".to_owned(),
            KafkaResponse::Rebalancing => "rebalancing".to_owned(),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            KafkaResponse::OutOfOrder
            | KafkaResponse::Fenced
            | KafkaResponse::InvalidState
            | KafkaResponse::At(_)
            | KafkaResponse::Unstable
            | KafkaResponse::NoMember
            | KafkaResponse::Rebalancing => true,
            KafkaResponse::Initialized(_)
            | KafkaResponse::Appended(_)
            | KafkaResponse::Concurrent
            | KafkaResponse::Noted
            | KafkaResponse::Ended(_)
            | KafkaResponse::Joined(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl HasIds for KafkaResponse {
    #[inline]
    fn has_ids(&self) -> bool {
        matches!(self, KafkaResponse::Initialized(_) | KafkaResponse::Joined(_))
    }

    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            KafkaResponse::Initialized(producer) => KafkaResponse::Initialized(producer.map_ids(ids)),
            KafkaResponse::Joined(member) => KafkaResponse::Joined(member.map_ids(ids)),
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
            KafkaResponse::InvalidState => f.write_str("invalid-state"),
            KafkaResponse::Concurrent => f.write_str("concurrent"),
            KafkaResponse::Noted => f.write_str("noted"),
            KafkaResponse::Ended(Epoch(epoch)) => write!(f, "epoch {epoch}"),
            KafkaResponse::At(Some(Offset(offset))) => write!(f, "offset {offset}"),
            KafkaResponse::At(None) => f.write_str("no-offset"),
            KafkaResponse::Unstable => f.write_str("unstable"),
            KafkaResponse::Joined(member) => write!(f, "member {}", member.0),
            KafkaResponse::NoMember => f.write_str("no-member"),
            KafkaResponse::Rebalancing => f.write_str("rebalancing"),
        }
    }
}

/// What a response gives that has not what its operation needs.
fn lapsed<T>(response: KafkaResponse) -> Result<T, Trouble> {
    match response {
        // A producer that goes on after this is another one: the delivery begins anew.
        KafkaResponse::OutOfOrder | KafkaResponse::Fenced | KafkaResponse::NoMember => {
            Err(Trouble::Failed(Failure::SessionOver))
        }
        KafkaResponse::InvalidState => Err(Trouble::Failed(Failure::NoTransaction)),
        KafkaResponse::Concurrent | KafkaResponse::Unstable | KafkaResponse::Rebalancing => Err(Trouble::InProgress),
        other @ (KafkaResponse::Initialized(_)
        | KafkaResponse::Appended(_)
        | KafkaResponse::Noted
        | KafkaResponse::Ended(_)
        | KafkaResponse::At(_)
        | KafkaResponse::Joined(_)) => another(other),
    }
}

impl Given<KafkaResponse> for Producer {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::Initialized(producer) = *response { Ok(producer) } else { lapsed(*response) }
    }
}

impl Given<KafkaResponse> for Option<Producer> {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        match *response {
            KafkaResponse::Initialized(producer) => Ok(Some(producer)),
            KafkaResponse::Concurrent => Ok(None),
            other => lapsed(other),
        }
    }
}

impl Given<KafkaResponse> for Answer {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::Appended(answer) = *response { Ok(answer) } else { lapsed(*response) }
    }
}

impl Given<KafkaResponse> for MemberId {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::Joined(member) = *response { Ok(member) } else { lapsed(*response) }
    }
}

impl Given<KafkaResponse> for () {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::Noted = *response { Ok(()) } else { lapsed(*response) }
    }
}

impl Given<KafkaResponse> for Epoch {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::Ended(epoch) = *response { Ok(epoch) } else { lapsed(*response) }
    }
}

impl Given<KafkaResponse> for Option<Offset> {
    #[inline]
    fn of(response: &KafkaResponse) -> Result<Self, Trouble> {
        if let KafkaResponse::At(offset) = *response { Ok(offset) } else { lapsed(*response) }
    }
}

const _: () = assert!(size_of::<KafkaResponse>() == 16);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ProducerId;

    #[test]
    fn responses_read_back_as_they_are_printed() {
        for response in [
            KafkaResponse::Initialized(Producer { id: ProducerId(4000), epoch: 2 }),
            KafkaResponse::Appended(Answer(-5)),
            KafkaResponse::OutOfOrder,
            KafkaResponse::Fenced,
            KafkaResponse::InvalidState,
            KafkaResponse::Concurrent,
            KafkaResponse::Noted,
            KafkaResponse::Ended(Epoch(3)),
            KafkaResponse::At(Some(Offset(8))),
            KafkaResponse::At(None),
            KafkaResponse::Unstable,
            KafkaResponse::Joined(MemberId(4000)),
            KafkaResponse::NoMember,
            KafkaResponse::Rebalancing,
        ] {
            assert_eq!(KafkaResponse::parse(&response.to_string(), ""), Some(response));
        }
        assert_eq!(KafkaResponse::parse("producer 4000", ""), None);
    }
}
