//! How operations of Kafka are printed, and read back.

use std::fmt;

use super::op::{Asks, BARE, KafkaCall, KafkaOp, SECOND_PROTOCOL};
use crate::service::contract::Operation;
use crate::service::written::message_and_effect;
use crate::terms::{AccountId, ClientId, MessageId, Offset, Producer};

impl fmt::Display for KafkaOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name)?;
        match self.call() {
            KafkaCall::InitProducerId => Ok(()),
            KafkaCall::Produce(message, effect) => write!(f, " m{} {effect}", message.0),
            KafkaCall::ProduceNumbered(message, effect, producer, sequence) => {
                write!(f, " m{} {effect} by {producer} number {sequence}", message.0)
            }
            KafkaCall::InitTransactions(client) | KafkaCall::FetchOffset(client) => write!(f, " of {}", client.0),
            KafkaCall::AddPartition(session, account) => write!(f, " {} {session}", account.0),
            KafkaCall::ProduceInTransaction(message, effect, session, sequence) => {
                write!(f, " m{} {effect} number {sequence} {session}", message.0)
            }
            KafkaCall::AddOffsets(session) | KafkaCall::EndTransaction(session, _) => write!(f, " {session}"),
            KafkaCall::CommitOffsetInTransaction(session, offset) => write!(f, " {} {session}", offset.0),
            KafkaCall::CommitOffset(client, offset) => write!(f, " {} of {}", offset.0, client.0),
            KafkaCall::JoinGroup(client) => write!(f, " of {}", client.0),
            KafkaCall::SyncGroup(membership) | KafkaCall::LeaveGroup(membership) => write!(f, " {membership}"),
            KafkaCall::CommitOffsetAs(membership, offset) => write!(f, " {} {membership}", offset.0),
        }
    }
}

/// An operation of one of these kinds from what is printed of it, without the kind's name.
pub(super) fn parse(kind: &str, rest: &str) -> Option<KafkaOp> {
    let client = |of: &str| of.strip_prefix("of ")?.parse().ok().map(ClientId);
    let number = |text: &str| text.parse().ok().filter(|number| *number < SECOND_PROTOCOL);
    let produce = |what: &str| {
        let (MessageId(number), effect) = message_and_effect(what)?;
        Some(KafkaOp { asks: Asks::Produce, number, effect, ..BARE })
    };
    // What stands before the session, and the session.
    let within = || {
        let at = rest.find("of ")?;
        Some((rest[..at].trim_end(), rest[at..].parse().ok()?))
    };
    match kind {
        "init-producer-id" => rest.is_empty().then_some(BARE),
        "produce" => produce(rest),
        "produce-numbered" => {
            let (what, by) = rest.split_once(" by ")?;
            let (producer, sequence) = by.split_once(" number ")?;
            let Producer { id: producer, epoch } = producer.parse().ok()?;
            let sequence = number(sequence)?;
            Some(KafkaOp { asks: Asks::ProduceNumbered, sequence, epoch, producer, ..produce(what)? })
        }
        "init-transactions" => client(rest).map(KafkaOp::init_transactions),
        "add-partition" => {
            let (account, session) = within()?;
            Some(KafkaOp::add_partition(session, AccountId(account.parse().ok()?)))
        }
        "produce-in-transaction" => {
            let (what, session) = within()?;
            let (what, sequence) = what.split_once(" number ")?;
            let sequence = number(sequence)?;
            Some(KafkaOp { asks: Asks::ProduceInTransaction, sequence, ..produce(what)? }.within(session))
        }
        "add-offsets" => within().map(|(_, session)| KafkaOp::add_offsets(session)),
        "commit-offset-in-transaction" => {
            let (offset, session) = within()?;
            Some(KafkaOp::commit_offset_in_transaction(session, Offset(offset.parse().ok()?)))
        }
        "commit-transaction" => within().map(|(_, session)| KafkaOp::commit_transaction(session)),
        "abort-transaction" => within().map(|(_, session)| KafkaOp::abort_transaction(session)),
        "fetch-offset" => client(rest).map(KafkaOp::fetch_offset),
        "commit-offset" => {
            let (offset, of) = rest.split_once(' ')?;
            Some(KafkaOp::commit_offset(client(of)?, Offset(offset.parse().ok()?)))
        }
        "join-group" => client(rest).map(KafkaOp::join_group),
        "sync-group" => rest.parse().ok().map(KafkaOp::sync_group),
        "commit-offset-as" => {
            let (offset, membership) = rest.split_once(' ')?;
            Some(KafkaOp::commit_offset_as(membership.parse().ok()?, Offset(offset.parse().ok()?)))
        }
        "leave-group" => rest.parse().ok().map(KafkaOp::leave_group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{
        ClientId, Effect, MemberId, Membership, ProducerId, Request, TransactionProtocol, Transactions,
    };

    const REQUEST: Request = Request {
        id: MessageId(7),
        client: ClientId(0),
        sequence: 7,
        effect: Effect { account: AccountId(3), amount: -5 },
    };
    const MEMBERSHIP: Membership = Membership { client: ClientId(2), member: MemberId(4000) };
    const PRODUCER: Producer = Producer { id: ProducerId(4000), epoch: 2 };

    #[test]
    fn operations_read_back_as_they_are_printed() {
        let numbered = KafkaOp::produce_numbered(&REQUEST, PRODUCER, 4);
        assert_eq!(numbered.to_string(), "produce-numbered m7 -5 to 3 by 4000/2 number 4");
        let session = Transactions { client: ClientId(2), producer: PRODUCER, protocol: TransactionProtocol::Two };
        let written = KafkaOp::produce_in_transaction(&REQUEST, session, 1);
        assert_eq!(written.to_string(), "produce-in-transaction m7 -5 to 3 number 1 of 2 by 4000/2 protocol 2");
        for op in [
            KafkaOp::init_producer_id(),
            KafkaOp::produce(&REQUEST),
            numbered,
            KafkaOp::init_transactions(ClientId(2)),
            KafkaOp::add_partition(session, AccountId(3)),
            written,
            KafkaOp::add_offsets(session),
            KafkaOp::commit_offset_in_transaction(session, Offset(8)),
            KafkaOp::commit_transaction(session),
            KafkaOp::abort_transaction(session),
            KafkaOp::fetch_offset(ClientId(2)),
            KafkaOp::commit_offset(ClientId(2), Offset(8)),
            KafkaOp::join_group(ClientId(2)),
            KafkaOp::sync_group(MEMBERSHIP),
            KafkaOp::commit_offset_as(MEMBERSHIP, Offset(8)),
            KafkaOp::leave_group(MEMBERSHIP),
        ] {
            let text = op.to_string();
            let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
            assert_eq!(parse(kind, rest), Some(op));
        }
        assert_eq!(parse("produce", "m7 to 3"), None);
    }
}
