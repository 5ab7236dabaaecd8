//! The request that each operation is, and what its answer says.

use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest, GroupId,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    ProduceRequest, ProducerId as BrokersId, SyncGroupRequest, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Request as Asked, StrBytes};
use tokio::time::Instant;

use super::driver::{KafkaBackend, broken, judged, says_ask_again};
use super::link::{BrokerLink, Unanswered};
use super::members::NamedMember;
use super::op::{End, KafkaCall, KafkaOp, RECORDED};
use super::records;
use super::response::KafkaResponse;
use super::topic::{INIT_PRODUCER_ID, as_name, partition};
use super::url::IS_KAFKA;
use crate::service::{BackendError, Outcome};
use crate::terms::{
    AccountId, ClientId, Delivery, Effect, Epoch, MemberId, Membership, MessageId, Offset, Producer, ProducerId,
    TransactionProtocol, Transactions,
};

/// How long to wait before a broker that is not ready yet is asked again.
const PAUSE: Duration = Duration::from_millis(1);

/// Every replica has it: what producers ask for that lose nothing.
const ACKS_ALL: i16 = -1;

/// How long the broker lets a transaction be open, in milliseconds.
const OPEN_FOR_MS: i32 = 60_000;

/// A consumer that is in no group of several.
const NO_GENERATION: i32 = -1;

/// The versions of what is asked. Which protocol a transaction has, the version says.
pub(super) const PRODUCE: i16 = 9;
pub(super) const PRODUCE_AND_ADD: i16 = 12;
pub(super) const ADD_PARTITIONS: i16 = 3;
pub(super) const ADD_OFFSETS: i16 = 3;
pub(super) const TXN_OFFSET_COMMIT: i16 = 3;
pub(super) const TXN_OFFSET_COMMIT_AND_ADD: i16 = 5;
pub(super) const END_TXN: i16 = 3;
pub(super) const END_TXN_AND_RAISE: i16 = 5;
pub(super) const DESCRIBE_TRANSACTIONS: i16 = 0;
pub(super) const OFFSET_FETCH: i16 = 8;
pub(super) const OFFSET_COMMIT: i16 = 8;
/// The last one in which one request makes a member: later ones are answered with a name to ask again with.
pub(super) const JOIN_GROUP: i16 = 3;
pub(super) const SYNC_GROUP: i16 = 3;
pub(super) const LEAVE_GROUP: i16 = 2;

/// What comes of an operation that was answered, or a broker that cannot be used.
type Judged = Result<Outcome, BackendError>;

/// A record that is to be appended, and as which of whose.
struct NewRecord {
    message: MessageId,
    effect: Effect,
    numbered: Option<(Producer, u8)>,
}

/// A delivery that asks, and until when.
pub(super) struct Asking<'b> {
    pub backend: &'b KafkaBackend,
    pub by: Delivery,
    pub deadline: Instant,
}

impl Asking<'_> {
    /// Makes the one request that the operation stands for.
    pub async fn make(&self, link: &mut BrokerLink, op: KafkaOp) -> Result<Judged, Unanswered> {
        match op.call() {
            KafkaCall::InitProducerId => self.init(link, None).await,
            KafkaCall::InitTransactions(client) => self.init(link, Some(client)).await,
            KafkaCall::Produce(message, effect) => {
                self.produce(link, NewRecord { message, effect, numbered: None }, None).await
            }
            KafkaCall::ProduceNumbered(message, effect, producer, number) => {
                self.produce(link, NewRecord { message, effect, numbered: Some((producer, number)) }, None).await
            }
            KafkaCall::ProduceInTransaction(message, effect, of, number) => {
                let record = NewRecord { message, effect, numbered: Some((of.producer, number)) };
                self.produce(link, record, Some(of)).await
            }
            KafkaCall::AddPartition(of, account) => self.add_partition(link, of, account).await,
            KafkaCall::AddOffsets(of) => {
                let request = AddOffsetsToTxnRequest::default()
                    .with_transactional_id(self.transactional_id(of.client))
                    .with_producer_id(brokers_id(of))
                    .with_producer_epoch(of.producer.epoch)
                    .with_group_id(self.group(of.client));
                let said = self.ask(link, &request, ADD_OFFSETS, |said| Some(said.error_code)).await?;
                Ok(judged(said.error_code, KafkaResponse::Noted))
            }
            KafkaCall::CommitOffsetInTransaction(of, offset) => self.commit_offset_in(link, of, offset).await,
            KafkaCall::EndTransaction(of, how) => self.end(link, of, how).await,
            KafkaCall::FetchOffset(client) => self.fetch_offset(link, client).await,
            KafkaCall::CommitOffset(client, offset) => {
                let nobody =
                    NamedMember { group: self.group(client), name: StrBytes::default(), generation: NO_GENERATION };
                self.commit_offset(link, nobody, offset).await
            }
            KafkaCall::JoinGroup(client) => self.join_group(link, client).await,
            KafkaCall::SyncGroup(of) => {
                let NamedMember { group, name, generation } = self.member(of);
                let all = SyncGroupRequestAssignment::default().with_member_id(name.clone());
                let request = SyncGroupRequest::default()
                    .with_group_id(group)
                    .with_generation_id(generation)
                    .with_member_id(name)
                    .with_assignments(vec![all]);
                let said = self.ask(link, &request, SYNC_GROUP, |said| Some(said.error_code)).await?;
                Ok(judged(said.error_code, KafkaResponse::Noted))
            }
            KafkaCall::CommitOffsetAs(of, offset) => self.commit_offset(link, self.member(of), offset).await,
            KafkaCall::LeaveGroup(of) => {
                let request = leaves(&self.member(of));
                let said = self.ask(link, &request, LEAVE_GROUP, |said| Some(said.error_code)).await?;
                Ok(judged(said.error_code, KafkaResponse::Noted))
            }
        }
    }

    /// Asks, and again as long as the broker has begun nothing and says so. The code of an answer, if it has one.
    async fn ask<R: Asked>(
        &self,
        link: &mut BrokerLink,
        request: &R,
        version: i16,
        code: impl Fn(&R::Response) -> Option<i16>,
    ) -> Result<R::Response, Unanswered> {
        loop {
            let said = link.ask(request, version).await?;
            if !code(&said).is_some_and(says_ask_again) || Instant::now() + PAUSE >= self.deadline {
                return Ok(said);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn name(&self, client: ClientId) -> StrBytes {
        StrBytes::from_string(format!("{}{}", self.backend.names_begin_with(), client.0))
    }

    fn transactional_id(&self, client: ClientId) -> TransactionalId {
        TransactionalId(self.name(client))
    }

    /// The group that works on a client's records.
    fn group(&self, client: ClientId) -> GroupId {
        self.backend.group(client)
    }

    /// Begins a producer session; or takes a client's transactions over.
    async fn init(&self, link: &mut BrokerLink, client: Option<ClientId>) -> Result<Judged, Unanswered> {
        // No transactional id: not the empty string, which is what it would be otherwise.
        let request = InitProducerIdRequest::default()
            .with_transactional_id(client.map(|client| self.transactional_id(client)))
            .with_transaction_timeout_ms(OPEN_FOR_MS);
        // What a broker aborts first is another answer.
        let asks_again = |code: i16| says_ask_again(code) && !(client.is_some() && code == CONCURRENT_TRANSACTIONS);
        let said = self
            .ask(link, &request, INIT_PRODUCER_ID, |said| Some(said.error_code).filter(|code| asks_again(*code)))
            .await?;
        if let (Some(client), CONCURRENT_TRANSACTIONS) = (client, said.error_code) {
            self.wait_for_end(link, client).await?;
            return Ok(Ok(Outcome::Ok(KafkaResponse::Concurrent.into())));
        }
        if said.error_code != 0 {
            let nobody = Producer { id: ProducerId(0), epoch: 0 };
            return Ok(judged(said.error_code, KafkaResponse::Initialized(nobody)));
        }
        let Ok(id) = u32::try_from(said.producer_id.0) else {
            return Ok(Err(broken(
                format!("it has come to producer id {}, and the lab knows ids up to {}", said.producer_id.0, u32::MAX),
                "use a Kafka that is not that old",
            )));
        };
        let producer = Producer { id: ProducerId(id), epoch: said.producer_epoch };
        Ok(Ok(Outcome::Ok(KafkaResponse::Initialized(producer).into())))
    }

    /// Waits until a transaction that is being ended has ended.
    async fn wait_for_end(&self, link: &mut BrokerLink, client: ClientId) -> Result<(), Unanswered> {
        let request =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![self.transactional_id(client)]);
        loop {
            let said = link.ask(&request, DESCRIBE_TRANSACTIONS).await?;
            let is_ending = said.transaction_states.iter().any(|it| it.transaction_state.starts_with("Prepare"));
            if !is_ending || Instant::now() + PAUSE >= self.deadline {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn produce(
        &self,
        link: &mut BrokerLink,
        record: NewRecord,
        within: Option<Transactions>,
    ) -> Result<Judged, Unanswered> {
        let NewRecord { message, effect, numbered } = record;
        let batch = records::batch(records::NewBatch { message, effect, by: self.by, numbered }, within.is_some())
            .map_err(Unanswered::Broken)?;
        let partition = PartitionProduceData::default().with_index(partition(effect.account)).with_records(Some(batch));
        let topic =
            TopicProduceData::default().with_name(as_name(self.backend.topic())).with_partition_data(vec![partition]);
        let timeout = i32::try_from(self.backend.timeout().as_millis()).unwrap_or(i32::MAX);
        // No transaction: not the empty string, which is what it would be otherwise.
        let request = ProduceRequest::default()
            .with_transactional_id(within.map(|of| self.transactional_id(of.client)))
            .with_acks(ACKS_ALL)
            .with_timeout_ms(timeout)
            .with_topic_data(vec![topic]);
        let version = match within.map(|of| of.protocol) {
            None | Some(TransactionProtocol::One) => PRODUCE,
            Some(TransactionProtocol::Two) => PRODUCE_AND_ADD,
        };
        let code = |said: &<ProduceRequest as Asked>::Response| {
            Some(said.responses.first()?.partition_responses.first()?.error_code)
        };
        let said = self.ask(link, &request, version, code).await?;
        let code = code(&said).ok_or_else(says_nothing)?;
        Ok(judged(code, KafkaResponse::Appended(RECORDED)))
    }

    async fn add_partition(
        &self,
        link: &mut BrokerLink,
        of: Transactions,
        account: AccountId,
    ) -> Result<Judged, Unanswered> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(as_name(self.backend.topic()))
            .with_partitions(vec![partition(account)]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.transactional_id(of.client))
            .with_v3_and_below_producer_id(brokers_id(of))
            .with_v3_and_below_producer_epoch(of.producer.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let code = |said: &<AddPartitionsToTxnRequest as Asked>::Response| {
            let topic = said.results_by_topic_v3_and_below.first()?;
            Some(topic.results_by_partition.first()?.partition_error_code)
        };
        let said = self.ask(link, &request, ADD_PARTITIONS, code).await?;
        Ok(judged(code(&said).ok_or_else(says_nothing)?, KafkaResponse::Noted))
    }

    async fn commit_offset_in(
        &self,
        link: &mut BrokerLink,
        of: Transactions,
        offset: Offset,
    ) -> Result<Judged, Unanswered> {
        let partition =
            TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset.0.into());
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(as_name(self.backend.topic()))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.transactional_id(of.client))
            .with_group_id(self.group(of.client))
            .with_producer_id(brokers_id(of))
            .with_producer_epoch(of.producer.epoch)
            .with_generation_id(NO_GENERATION)
            .with_topics(vec![topic]);
        let version = match of.protocol {
            TransactionProtocol::One => TXN_OFFSET_COMMIT,
            TransactionProtocol::Two => TXN_OFFSET_COMMIT_AND_ADD,
        };
        let code = |said: &<TxnOffsetCommitRequest as Asked>::Response| {
            Some(said.topics.first()?.partitions.first()?.error_code)
        };
        let said = self.ask(link, &request, version, code).await?;
        Ok(judged(code(&said).ok_or_else(says_nothing)?, KafkaResponse::Noted))
    }

    async fn end(&self, link: &mut BrokerLink, of: Transactions, how: End) -> Result<Judged, Unanswered> {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.transactional_id(of.client))
            .with_producer_id(brokers_id(of))
            .with_producer_epoch(of.producer.epoch)
            .with_committed(how == End::Commit);
        let version = match of.protocol {
            TransactionProtocol::One => END_TXN,
            TransactionProtocol::Two => END_TXN_AND_RAISE,
        };
        let said = self.ask(link, &request, version, |said| Some(said.error_code)).await?;
        // The first protocol says nothing of it, since nothing changes.
        let epoch = match of.protocol {
            TransactionProtocol::One => of.producer.epoch,
            TransactionProtocol::Two => said.producer_epoch,
        };
        Ok(judged(said.error_code, KafkaResponse::Ended(Epoch(epoch))))
    }

    /// How far the group has come in a client's records: they are partition 0 of the group that bears the client's number.
    async fn fetch_offset(&self, link: &mut BrokerLink, client: ClientId) -> Result<Judged, Unanswered> {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(as_name(self.backend.topic()))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default().with_group_id(self.group(client)).with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(true);
        let found = |said: &<OffsetFetchRequest as Asked>::Response| {
            let group = said.groups.first()?;
            let partition = group.topics.first().and_then(|topic| topic.partitions.first());
            match (group.error_code, partition) {
                (0, Some(partition)) => Some((partition.error_code, partition.committed_offset)),
                (code, _) => Some((code, -1)),
            }
        };
        let said = self.ask(link, &request, OFFSET_FETCH, |said| found(said).map(|(code, _)| code)).await?;
        let (code, offset) = found(&said).ok_or_else(says_nothing)?;
        // It is -1 where nothing has been committed.
        Ok(judged(code, KafkaResponse::At(u32::try_from(offset).ok().map(Offset))))
    }

    /// Of a member of a group; or of a consumer that is alone in it.
    async fn commit_offset(
        &self,
        link: &mut BrokerLink,
        member: NamedMember,
        offset: Offset,
    ) -> Result<Judged, Unanswered> {
        let partition =
            OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset.0.into());
        let topic = OffsetCommitRequestTopic::default()
            .with_name(as_name(self.backend.topic()))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(member.group)
            .with_generation_id_or_member_epoch(member.generation)
            .with_member_id(member.name)
            .with_topics(vec![topic]);
        let code =
            |said: &<OffsetCommitRequest as Asked>::Response| Some(said.topics.first()?.partitions.first()?.error_code);
        let said = self.ask(link, &request, OFFSET_COMMIT, code).await?;
        Ok(judged(code(&said).ok_or_else(says_nothing)?, KafkaResponse::Noted))
    }

    /// The broker answers when nobody else is a member any more.
    async fn join_group(&self, link: &mut BrokerLink, client: ClientId) -> Result<Judged, Unanswered> {
        let session = i32::try_from(self.backend.session().as_millis()).unwrap_or(i32::MAX);
        let protocol = JoinGroupRequestProtocol::default().with_name(OWN_PROTOCOL);
        let request = JoinGroupRequest::default()
            .with_group_id(self.group(client))
            .with_session_timeout_ms(session)
            .with_rebalance_timeout_ms(session)
            .with_protocol_type(OWN_PROTOCOL)
            .with_protocols(vec![protocol]);
        let said = self.ask(link, &request, JOIN_GROUP, |said| Some(said.error_code)).await?;
        if said.error_code != 0 {
            return Ok(judged(said.error_code, KafkaResponse::NoMember));
        }
        let member = NamedMember { group: self.group(client), name: said.member_id, generation: said.generation_id };
        Ok(Ok(Outcome::Ok(KafkaResponse::Joined(self.backend.members().add(member)).into())))
    }

    /// A member as the broker knows it. One that was never let in is known to nobody.
    fn member(&self, Membership { client, member: MemberId(number) }: Membership) -> NamedMember {
        let nobody = || NamedMember {
            group: self.group(client),
            name: StrBytes::from_string(format!("nobody-{number}")),
            generation: 0,
        };
        self.backend.members().get(number.into()).unwrap_or_else(nobody)
    }
}

/// What the members of the lab's groups agree on: that one of them has everything.
const OWN_PROTOCOL: StrBytes = StrBytes::from_static_str("oncelab");

/// The request with which a member leaves its group.
pub(super) fn leaves(member: &NamedMember) -> LeaveGroupRequest {
    LeaveGroupRequest::default().with_group_id(member.group.clone()).with_member_id(member.name.clone())
}

/// A transaction of this id is open or being ended.
const CONCURRENT_TRANSACTIONS: i16 = 51;

fn brokers_id(of: Transactions) -> BrokersId {
    BrokersId(of.producer.id.0.into())
}

fn says_nothing() -> Unanswered {
    Unanswered::Broken(broken("it says nothing of what it was asked for", IS_KAFKA))
}
