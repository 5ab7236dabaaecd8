//! What can be asked of a Kafka.

use super::in_text;
use crate::service::contract::Operation;
use crate::service::{Acts, Footprint, HasIds, Ids, Item, Kind, Whose};
use crate::terms::{
    AccountId, Answer, ClientId, Effect, MemberId, Membership, MessageId, Offset, Producer, ProducerId, Request,
    TransactionProtocol, Transactions,
};

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
    /// InitProducerId with the client's transactional id: takes its transactions over, in a later epoch. Aborts the one that is open, and
    /// asks to be asked again then.
    InitTransactions(ClientId),
    /// AddPartitionsToTxn: from now on the account's partition belongs to the transaction.
    AddPartition(Transactions, AccountId),
    /// Produce in a transaction, with this sequence number.
    ProduceInTransaction(MessageId, Effect, Transactions, u8),
    /// AddOffsetsToTxn: from now on the group's offsets belong to the transaction.
    AddOffsets(Transactions),
    /// TxnOffsetCommit: how far the group has come in the client's records, once the transaction commits.
    CommitOffsetInTransaction(Transactions, Offset),
    /// EndTxn: commits the transaction, or aborts it.
    EndTransaction(Transactions, End),
    /// OffsetFetch: how far the group has come in the client's records.
    FetchOffset(ClientId),
    /// OffsetCommit: how far the group has come in the client's records, whatever it has committed before.
    CommitOffset(ClientId, Offset),
    /// JoinGroup: becomes the one member of the group that works on the client's records, when nobody else is a member any more.
    JoinGroup(ClientId),
    /// SyncGroup: the records are given to the member from now on.
    SyncGroup(Membership),
    /// OffsetCommit as a member of the group.
    CommitOffsetAs(Membership, Offset),
    /// LeaveGroup: another one can become a member.
    LeaveGroup(Membership),
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    Commit,
    Abort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asks {
    InitProducerId,
    Produce,
    ProduceNumbered,
    InitTransactions,
    AddPartition,
    ProduceInTransaction,
    AddOffsets,
    CommitOffsetInTransaction,
    Commit,
    Abort,
    FetchOffset,
    CommitOffset,
    JoinGroup,
    SyncGroup,
    CommitOffsetAs,
    LeaveGroup,
}

/// An operation of Kafka: one request to the broker. Flat and small, as every operation is, since an explorer copies millions of them a
/// second. What an operation does not need is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(Rust, packed(2))]
pub struct KafkaOp {
    pub(super) asks: Asks,
    /// The sequence number, below [`SECOND_PROTOCOL`], and that bit.
    pub(super) sequence: u8,
    pub(super) epoch: i16,
    /// A client's number has 16 bits.
    pub(super) client: u16,
    /// A producer's, or a member's.
    pub(super) producer: ProducerId,
    /// A message's, or the offset.
    pub(super) number: u32,
    pub(super) effect: Effect,
}

/// The bit beside a sequence number that says which protocol a transaction has.
pub(super) const SECOND_PROTOCOL: u8 = 1 << 7;

const INIT_PRODUCER_ID: Kind = Kind { number: 64, name: "init-producer-id", acts: Acts::LEASES };
const PRODUCE: Kind = Kind { number: 65, name: "produce", acts: Acts::APPLIES };
const PRODUCE_NUMBERED: Kind = Kind { number: 66, name: "produce-numbered", acts: Acts::APPLIES.and(Acts::NAMES) };
const INIT_TRANSACTIONS: Kind = Kind { number: 67, name: "init-transactions", acts: Acts::LEASES };
const ADD_PARTITION: Kind = Kind { number: 68, name: "add-partition", acts: Acts::NAMES };
const PRODUCE_IN_TRANSACTION: Kind =
    Kind { number: 69, name: "produce-in-transaction", acts: Acts::APPLIES.and(Acts::NAMES) };
const ADD_OFFSETS: Kind = Kind { number: 70, name: "add-offsets", acts: Acts::NAMES };
const COMMIT_OFFSET_IN_TRANSACTION: Kind =
    Kind { number: 71, name: "commit-offset-in-transaction", acts: Acts::MARKS.and(Acts::NAMES) };
const COMMIT_TRANSACTION: Kind = Kind { number: 72, name: "commit-transaction", acts: Acts::COMMITS.and(Acts::NAMES) };
const ABORT_TRANSACTION: Kind = Kind { number: 73, name: "abort-transaction", acts: Acts::UNDOES.and(Acts::NAMES) };
const FETCH_OFFSET: Kind =
    Kind { number: 74, name: "fetch-offset", acts: Acts::READS.and(Acts::LOOKS).and(Acts::ORDERS) };
const COMMIT_OFFSET: Kind = Kind { number: 75, name: "commit-offset", acts: Acts::MARKS };
const JOIN_GROUP: Kind = Kind { number: 80, name: "join-group", acts: Acts::LEASES.and(Acts::QUEUES) };
const SYNC_GROUP: Kind = Kind { number: 81, name: "sync-group", acts: Acts::ENTERS.and(Acts::NAMES) };
const COMMIT_OFFSET_AS: Kind = Kind { number: 82, name: "commit-offset-as", acts: Acts::MARKS.and(Acts::NAMES) };
const LEAVE_GROUP: Kind = Kind { number: 83, name: "leave-group", acts: Acts::LEAVES.and(Acts::NAMES) };

/// The kinds of operations.
pub(super) const KINDS: &[Kind] = &[
    INIT_PRODUCER_ID,
    PRODUCE,
    PRODUCE_NUMBERED,
    INIT_TRANSACTIONS,
    ADD_PARTITION,
    PRODUCE_IN_TRANSACTION,
    ADD_OFFSETS,
    COMMIT_OFFSET_IN_TRANSACTION,
    COMMIT_TRANSACTION,
    ABORT_TRANSACTION,
    FETCH_OFFSET,
    COMMIT_OFFSET,
    JOIN_GROUP,
    SYNC_GROUP,
    COMMIT_OFFSET_AS,
    LEAVE_GROUP,
];

/// The partitions of the output topic, by account.
const PARTITION: &str = "partition";
/// What a broker knows of a transactional id, by client.
const TRANSACTION: &str = "transaction";
/// How far the group has come, by client.
const OFFSET: &str = "offset";
/// Who is a member of the group, by client.
const GROUP: &str = "group";

const _: () = assert!(size_of::<KafkaOp>() == 22);

/// An operation that needs nothing but its kind.
pub(super) const BARE: KafkaOp = KafkaOp {
    asks: Asks::InitProducerId,
    sequence: 0,
    epoch: 0,
    client: 0,
    producer: ProducerId(0),
    number: 0,
    effect: Effect { account: AccountId(0), amount: 0 },
};

/// A client's number in an operation. What has no place in it becomes the greatest one, which no client bears.
fn client_number(client: ClientId) -> u16 {
    u16::try_from(client.0).unwrap_or(u16::MAX)
}

impl KafkaOp {
    /// Begins a producer session.
    #[must_use]
    pub const fn init_producer_id() -> Self {
        BARE
    }

    /// Appends the record of a request's effect.
    #[must_use]
    pub const fn produce(request: &Request) -> Self {
        KafkaOp { asks: Asks::Produce, number: request.id.0, effect: request.effect, ..BARE }
    }

    /// Appends the record of a request's effect, as this producer and with this number.
    #[must_use]
    pub const fn produce_numbered(request: &Request, producer: Producer, sequence: u8) -> Self {
        KafkaOp {
            asks: Asks::ProduceNumbered,
            sequence,
            epoch: producer.epoch,
            producer: producer.id,
            ..KafkaOp::produce(request)
        }
    }

    /// Takes over a client's transactions.
    #[must_use]
    pub fn init_transactions(client: ClientId) -> Self {
        KafkaOp { asks: Asks::InitTransactions, client: client_number(client), ..BARE }
    }

    /// An operation in a transaction.
    pub(super) fn within(self, transactions: Transactions) -> Self {
        let Transactions { client, producer, protocol } = transactions;
        let sequence = match protocol {
            TransactionProtocol::One => self.sequence,
            TransactionProtocol::Two => self.sequence | SECOND_PROTOCOL,
        };
        KafkaOp { client: client_number(client), epoch: producer.epoch, producer: producer.id, sequence, ..self }
    }

    /// Makes an account's partition part of the transaction.
    #[must_use]
    pub fn add_partition(transactions: Transactions, account: AccountId) -> Self {
        let effect = Effect { account, amount: 0 };
        KafkaOp { asks: Asks::AddPartition, effect, ..BARE }.within(transactions)
    }

    /// Appends the record of a request's effect in the transaction, with this number.
    #[must_use]
    pub fn produce_in_transaction(request: &Request, transactions: Transactions, sequence: u8) -> Self {
        KafkaOp { asks: Asks::ProduceInTransaction, sequence, ..KafkaOp::produce(request) }.within(transactions)
    }

    /// Makes the group's offsets part of the transaction.
    #[must_use]
    pub fn add_offsets(transactions: Transactions) -> Self {
        KafkaOp { asks: Asks::AddOffsets, ..BARE }.within(transactions)
    }

    /// Notes how far the group has come, once the transaction commits.
    #[must_use]
    pub fn commit_offset_in_transaction(transactions: Transactions, offset: Offset) -> Self {
        KafkaOp { asks: Asks::CommitOffsetInTransaction, number: offset.0, ..BARE }.within(transactions)
    }

    /// Commits the transaction.
    #[must_use]
    pub fn commit_transaction(transactions: Transactions) -> Self {
        KafkaOp { asks: Asks::Commit, ..BARE }.within(transactions)
    }

    /// Aborts the transaction.
    #[must_use]
    pub fn abort_transaction(transactions: Transactions) -> Self {
        KafkaOp { asks: Asks::Abort, ..BARE }.within(transactions)
    }

    /// Asks how far the group has come.
    #[must_use]
    pub fn fetch_offset(client: ClientId) -> Self {
        KafkaOp { asks: Asks::FetchOffset, client: client_number(client), ..BARE }
    }

    /// Notes how far the group has come.
    #[must_use]
    pub fn commit_offset(client: ClientId, offset: Offset) -> Self {
        KafkaOp { asks: Asks::CommitOffset, client: client_number(client), number: offset.0, ..BARE }
    }

    /// Becomes the one member of the group that works on a client's records.
    #[must_use]
    pub fn join_group(client: ClientId) -> Self {
        KafkaOp { asks: Asks::JoinGroup, client: client_number(client), ..BARE }
    }

    /// An operation of a member.
    fn of_member(self, Membership { client, member: MemberId(member) }: Membership) -> Self {
        KafkaOp { client: client_number(client), producer: ProducerId(member), ..self }
    }

    /// Lets the records be given to the member.
    #[must_use]
    pub fn sync_group(membership: Membership) -> Self {
        KafkaOp { asks: Asks::SyncGroup, ..BARE }.of_member(membership)
    }

    /// Notes how far the group has come, as its member.
    #[must_use]
    pub fn commit_offset_as(membership: Membership, offset: Offset) -> Self {
        KafkaOp { asks: Asks::CommitOffsetAs, number: offset.0, ..BARE }.of_member(membership)
    }

    /// Leaves the group.
    #[must_use]
    pub fn leave_group(membership: Membership) -> Self {
        KafkaOp { asks: Asks::LeaveGroup, ..BARE }.of_member(membership)
    }

    /// What it asks for.
    #[inline]
    pub(super) fn call(self) -> KafkaCall {
        let KafkaOp { asks, sequence, epoch, client, producer, number, effect } = self;
        let is_second = sequence & SECOND_PROTOCOL != 0;
        let protocol = if is_second { TransactionProtocol::Two } else { TransactionProtocol::One };
        let sequence = sequence & !SECOND_PROTOCOL;
        let member = MemberId(producer.0);
        let (producer, client) = (Producer { id: producer, epoch }, ClientId(client.into()));
        let membership = Membership { client, member };
        let transactions = Transactions { client, producer, protocol };
        match asks {
            Asks::InitProducerId => KafkaCall::InitProducerId,
            Asks::Produce => KafkaCall::Produce(MessageId(number), effect),
            Asks::ProduceNumbered => KafkaCall::ProduceNumbered(MessageId(number), effect, producer, sequence),
            Asks::InitTransactions => KafkaCall::InitTransactions(client),
            Asks::AddPartition => KafkaCall::AddPartition(transactions, effect.account),
            Asks::ProduceInTransaction => {
                KafkaCall::ProduceInTransaction(MessageId(number), effect, transactions, sequence)
            }
            Asks::AddOffsets => KafkaCall::AddOffsets(transactions),
            Asks::CommitOffsetInTransaction => KafkaCall::CommitOffsetInTransaction(transactions, Offset(number)),
            Asks::Commit => KafkaCall::EndTransaction(transactions, End::Commit),
            Asks::Abort => KafkaCall::EndTransaction(transactions, End::Abort),
            Asks::FetchOffset => KafkaCall::FetchOffset(client),
            Asks::CommitOffset => KafkaCall::CommitOffset(client, Offset(number)),
            Asks::JoinGroup => KafkaCall::JoinGroup(client),
            Asks::SyncGroup => KafkaCall::SyncGroup(membership),
            Asks::CommitOffsetAs => KafkaCall::CommitOffsetAs(membership, Offset(number)),
            Asks::LeaveGroup => KafkaCall::LeaveGroup(membership),
        }
    }

    /// Whether a transaction may end by it: also one that somebody else has left open.
    #[cfg(feature = "lab")]
    pub(super) fn may_end_transaction(self) -> bool {
        matches!(self.asks, Asks::InitTransactions | Asks::Commit | Asks::Abort)
    }

    /// The client of the records whose group it joins, if it joins one.
    #[cfg(feature = "lab")]
    pub(super) fn joins(self) -> Option<ClientId> {
        (self.asks == Asks::JoinGroup).then(|| ClientId(self.client.into()))
    }

    /// Whether it belongs to the transactions of a session, or begins them.
    pub(super) fn is_transactional(self) -> bool {
        match self.asks {
            Asks::InitTransactions
            | Asks::AddPartition
            | Asks::ProduceInTransaction
            | Asks::AddOffsets
            | Asks::CommitOffsetInTransaction
            | Asks::Commit
            | Asks::Abort => true,
            Asks::InitProducerId
            | Asks::Produce
            | Asks::ProduceNumbered
            | Asks::FetchOffset
            | Asks::CommitOffset
            | Asks::JoinGroup
            | Asks::SyncGroup
            | Asks::CommitOffsetAs
            | Asks::LeaveGroup => false,
        }
    }
}

impl Operation for KafkaOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        match self.asks {
            Asks::InitProducerId => &INIT_PRODUCER_ID,
            Asks::Produce => &PRODUCE,
            Asks::ProduceNumbered => &PRODUCE_NUMBERED,
            Asks::InitTransactions => &INIT_TRANSACTIONS,
            Asks::AddPartition => &ADD_PARTITION,
            Asks::ProduceInTransaction => &PRODUCE_IN_TRANSACTION,
            Asks::AddOffsets => &ADD_OFFSETS,
            Asks::CommitOffsetInTransaction => &COMMIT_OFFSET_IN_TRANSACTION,
            Asks::Commit => &COMMIT_TRANSACTION,
            Asks::Abort => &ABORT_TRANSACTION,
            Asks::FetchOffset => &FETCH_OFFSET,
            Asks::CommitOffset => &COMMIT_OFFSET,
            Asks::JoinGroup => &JOIN_GROUP,
            Asks::SyncGroup => &SYNC_GROUP,
            Asks::CommitOffsetAs => &COMMIT_OFFSET_AS,
            Asks::LeaveGroup => &LEAVE_GROUP,
        }
    }

    fn footprint(self) -> Footprint {
        let partition = |account: AccountId| Item { place: PARTITION, which: Whose::Account(account) };
        let transaction = |client: ClientId| Item { place: TRANSACTION, which: Whose::Client(client) };
        let offset = |client: ClientId| Item { place: OFFSET, which: Whose::Client(client) };
        let group = |client: ClientId| Item { place: GROUP, which: Whose::Client(client) };
        let (mut reads, mut writes) = (vec![], vec![]);
        match self.call() {
            KafkaCall::InitProducerId => {}
            KafkaCall::Produce(_, effect) | KafkaCall::ProduceNumbered(_, effect, ..) => {
                writes.push(partition(effect.account));
            }
            KafkaCall::AddPartition(of, _) | KafkaCall::AddOffsets(of) => writes.push(transaction(of.client)),
            KafkaCall::ProduceInTransaction(_, effect, of, _) => {
                writes.extend([transaction(of.client), partition(effect.account)]);
            }
            KafkaCall::CommitOffsetInTransaction(of, _) => writes.extend([transaction(of.client), offset(of.client)]),
            // Whatever was written in the transaction is there from then on, or is not.
            KafkaCall::EndTransaction(Transactions { client, .. }, _) | KafkaCall::InitTransactions(client) => {
                let any = Item { place: PARTITION, which: Whose::Any };
                writes.extend([transaction(client), offset(client), any]);
            }
            KafkaCall::FetchOffset(client) => reads.push(offset(client)),
            KafkaCall::CommitOffset(client, _) => writes.push(offset(client)),
            KafkaCall::JoinGroup(client)
            | KafkaCall::SyncGroup(Membership { client, .. })
            | KafkaCall::LeaveGroup(Membership { client, .. }) => writes.push(group(client)),
            KafkaCall::CommitOffsetAs(Membership { client, .. }, _) => {
                reads.push(group(client));
                writes.push(offset(client));
            }
        }
        Footprint { reads, writes }
    }

    fn in_words(self, several: bool) -> String {
        let number = |message: MessageId| if several { (message.0 + 1).to_string() } else { String::new() };
        match self.call() {
            KafkaCall::InitProducerId => "InitProducerId".to_owned(),
            KafkaCall::Produce(message, _) => format!("produce X{}", number(message)),
            KafkaCall::ProduceNumbered(message, _, _, sequence) => {
                format!("produce X{} as number {sequence}", number(message))
            }
            KafkaCall::InitTransactions(_) => "InitProducerId of the transactional id".to_owned(),
            KafkaCall::AddPartition(..) => "AddPartitionsToTxn".to_owned(),
            KafkaCall::ProduceInTransaction(message, _, _, sequence) => {
                format!("produce X{} as number {sequence} in the transaction", number(message))
            }
            KafkaCall::AddOffsets(_) => "AddOffsetsToTxn".to_owned(),
            KafkaCall::CommitOffsetInTransaction(_, offset) => {
                format!("commit offset {} in the transaction", offset.0)
            }
            KafkaCall::EndTransaction(_, End::Commit) => "EndTxn(commit)".to_owned(),
            KafkaCall::EndTransaction(_, End::Abort) => "EndTxn(abort)".to_owned(),
            KafkaCall::FetchOffset(_) => "fetch the offset".to_owned(),
            KafkaCall::CommitOffset(_, offset) => format!("commit offset {}", offset.0),
            KafkaCall::JoinGroup(_) => "JoinGroup".to_owned(),
            KafkaCall::SyncGroup(_) => "SyncGroup".to_owned(),
            KafkaCall::CommitOffsetAs(_, offset) => format!("commit offset {} as a member", offset.0),
            KafkaCall::LeaveGroup(_) => "LeaveGroup".to_owned(),
        }
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        in_text::parse(kind, rest)
    }
}

impl HasIds for KafkaOp {
    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        let (message, client) = (MessageId(self.number), ClientId(self.client.into()));
        let (has_message, has_client, has_producer) = match self.asks {
            Asks::InitProducerId => return self,
            Asks::Produce => (true, false, false),
            Asks::ProduceNumbered => (true, false, true),
            Asks::InitTransactions | Asks::FetchOffset | Asks::CommitOffset | Asks::JoinGroup => (false, true, false),
            Asks::AddPartition
            | Asks::AddOffsets
            | Asks::CommitOffsetInTransaction
            | Asks::Commit
            | Asks::Abort
            | Asks::SyncGroup
            | Asks::CommitOffsetAs
            | Asks::LeaveGroup => (false, true, true),
            Asks::ProduceInTransaction => (true, true, true),
        };
        let has_account = has_message || self.asks == Asks::AddPartition;
        KafkaOp {
            number: if has_message { message.map_ids(ids).0 } else { self.number },
            effect: if has_account { self.effect.map_ids(ids) } else { self.effect },
            producer: if has_producer { self.producer.map_ids(ids) } else { self.producer },
            client: if has_client { client_number(client.map_ids(ids)) } else { self.client },
            ..self
        }
    }
}

/// What is answered when an effect's record is there: it changes no account.
pub(super) const RECORDED: Answer = Answer(0);
