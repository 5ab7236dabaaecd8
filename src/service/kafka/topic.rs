//! The output topic as the lab makes, reads and removes it.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersionsResponse;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest, BrokerId, CreateAclsRequest,
    CreateTopicsRequest, DeleteTopicsRequest, DescribeGroupsRequest, DescribeTransactionsRequest, EndTxnRequest,
    FetchRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListOffsetsRequest, ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
    ProduceRequest, SyncGroupRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::time::Instant;

use super::driver::{broken, says_ask_again};
use super::link::{BrokerLink, LET_IN, Unanswered};
use super::members::NamedMember;
use super::url::{Broker, IS_KAFKA};
use super::{records, requests};
use crate::service::BackendError;
use crate::terms::{AccountId, Entry};

/// The partitions of a topic. The record of an effect goes to that of its account.
pub(super) const PARTITIONS: i32 = 16;

/// The longest name that a topic may have.
const LONGEST_NAME: usize = 249;

/// How long a broker may take for anything that the lab itself wants of it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait before a broker is asked again.
const PAUSE: Duration = Duration::from_millis(10);

/// How long to wait before a broker is asked again whether a transaction has ended: its end takes about a millisecond.
const WAIT_FOR_END: Duration = Duration::from_micros(300);

/// As much is read at a time, in bytes.
const READ_AT_A_TIME: i32 = 8 << 20;

/// For the newest offset.
const LATEST: i64 = -1;
/// Behind the newest record that is committed.
const READ_COMMITTED: i8 = 1;

const UNKNOWN_TOPIC: i16 = 3;
const TOPIC_EXISTS: i16 = 36;

/// The versions of what is asked: what brokers from 4.0 on know. The newer versions of Produce and Fetch name topics by other ids.
pub(super) const INIT_PRODUCER_ID: i16 = 4;
const FETCH: i16 = 12;
const LIST_OFFSETS: i16 = 7;
pub(super) const METADATA: i16 = 12;
const CREATE_TOPICS: i16 = 7;
const DELETE_TOPICS: i16 = 6;
const API_VERSIONS: i16 = 3;
const CREATE_ACLS: i16 = 3;
const FIND_COORDINATOR: i16 = 4;
const LIST_TRANSACTIONS: i16 = 0;
const DESCRIBE_GROUPS: i16 = 5;

/// Everything that is asked: its key, and in which version.
const ASKED: [(i16, i16); 24] = [
    (ProduceRequest::KEY, requests::PRODUCE),
    (ProduceRequest::KEY, requests::PRODUCE_AND_ADD),
    (AddPartitionsToTxnRequest::KEY, requests::ADD_PARTITIONS),
    (AddOffsetsToTxnRequest::KEY, requests::ADD_OFFSETS),
    (TxnOffsetCommitRequest::KEY, requests::TXN_OFFSET_COMMIT),
    (TxnOffsetCommitRequest::KEY, requests::TXN_OFFSET_COMMIT_AND_ADD),
    (EndTxnRequest::KEY, requests::END_TXN),
    (EndTxnRequest::KEY, requests::END_TXN_AND_RAISE),
    (OffsetFetchRequest::KEY, requests::OFFSET_FETCH),
    (OffsetCommitRequest::KEY, requests::OFFSET_COMMIT),
    (JoinGroupRequest::KEY, requests::JOIN_GROUP),
    (SyncGroupRequest::KEY, requests::SYNC_GROUP),
    (LeaveGroupRequest::KEY, requests::LEAVE_GROUP),
    (DescribeGroupsRequest::KEY, DESCRIBE_GROUPS),
    (DescribeTransactionsRequest::KEY, requests::DESCRIBE_TRANSACTIONS),
    (ListTransactionsRequest::KEY, LIST_TRANSACTIONS),
    (FindCoordinatorRequest::KEY, FIND_COORDINATOR),
    (ApiVersionsRequest::KEY, API_VERSIONS),
    (FetchRequest::KEY, FETCH),
    (ListOffsetsRequest::KEY, LIST_OFFSETS),
    (MetadataRequest::KEY, METADATA),
    (CreateTopicsRequest::KEY, CREATE_TOPICS),
    (DeleteTopicsRequest::KEY, DELETE_TOPICS),
    (InitProducerIdRequest::KEY, INIT_PRODUCER_ID),
];

/// The partition of an account.
pub(super) fn partition(account: AccountId) -> i32 {
    i32::try_from(account.0 % PARTITIONS.unsigned_abs()).unwrap_or(0)
}

/// The name of a topic for a prefix of the lab's: of all that a prefix has, only letters, digits, `_` and `-` may be in it.
pub(super) fn name(prefix: &str) -> String {
    let other = |letter: char| if letter.is_ascii_alphanumeric() || "_-".contains(letter) { letter } else { '.' };
    prefix.chars().map(other).collect()
}

/// That a name is not longer than Kafka lets it be. Most of it is the path of the run's folder.
fn require_short(topic: &str) -> Result<(), BackendError> {
    match topic.len() {
        0..=LONGEST_NAME => Ok(()),
        length => Err(broken(
            format!("the name of its topic has {length} letters, and Kafka takes {LONGEST_NAME}"),
            "give --out a shorter path",
        )),
    }
}

pub(super) fn as_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The words of an error that a broker answers with.
pub(super) fn words(code: i16) -> String {
    ResponseError::try_from_code(code).map_or_else(|| format!("error {code}"), |error| format!("{error} ({code})"))
}

fn refused(what: &str, code: i16) -> BackendError {
    broken(
        format!("{what}: {}", words(code)),
        "give a user who may make, read, write and remove topics whose names begin with oncelab",
    )
}

/// Somebody else has removed the topic.
pub(super) fn gone() -> BackendError {
    broken("the output topic is not there", "let nobody else remove topics of the lab's")
}

/// A broker, as the lab itself asks it.
pub(super) struct Overseer {
    link: BrokerLink,
    /// Whether the lab has shown who it is.
    has_user: bool,
}

impl Overseer {
    /// Connects.
    ///
    /// # Errors
    /// [`BackendError`] if the broker is not there, or does not let the lab in.
    pub async fn open(broker: &Broker) -> Result<Self, BackendError> {
        let link = BrokerLink::open(broker, &broker.address, TIMEOUT).await.map_err(|why| unheard(broker, why))?;
        Ok(Overseer { link, has_user: broker.user.is_some() })
    }

    async fn ask<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, BackendError> {
        match tokio::time::timeout(TIMEOUT, self.link.ask(request, version)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Unanswered::Broken(error))) => Err(error),
            Ok(Err(Unanswered::Cut | Unanswered::NotSent)) if self.has_user => {
                Err(broken("it has closed the connection", IS_KAFKA))
            }
            // It hangs up on whoever does not say who he is.
            Ok(Err(Unanswered::Cut | Unanswered::NotSent)) => {
                Err(broken("it has closed the connection: it may want to know who asks", LET_IN))
            }
            Err(_elapsed) => Err(broken(format!("no answer within {} s", TIMEOUT.as_secs()), IS_KAFKA)),
        }
    }

    /// What it is, in words; and it is ready for producers.
    ///
    /// # Errors
    /// [`BackendError`] if it is too old, or one of several.
    pub async fn probe(&mut self) -> Result<String, BackendError> {
        let name = StrBytes::from_static_str("oncelab");
        let versions = ApiVersionsRequest::default()
            .with_client_software_name(name)
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let versions = self.ask(&versions, API_VERSIONS).await?;
        let knows = |(key, version): (i16, i16)| {
            let known = versions.api_keys.iter().find(|known| known.api_key == key);
            known.is_some_and(|known| (known.min_version..=known.max_version).contains(&version))
        };
        if !ASKED.into_iter().all(knows) {
            return Err(broken("it does not know all that the lab asks of it", "use a Kafka of version 4.0 or later"));
        }
        let brokers =
            self.ask(&MetadataRequest::default().with_topics(Some(Vec::new())), METADATA).await?.brokers.len();
        if brokers != 1 {
            return Err(broken(
                format!("it is one of {brokers} brokers, and the lab asks one alone"),
                "give the URL of a Kafka with one broker",
            ));
        }
        self.wait_for_producer_ids().await?;
        self.wait_for_coordinators().await?;
        Ok(described(&versions))
    }

    /// Lets a user do what he likes with everything whose name begins with `oncelab`: topics, groups and transactions; and nothing else.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn admit(&mut self, user: &str) -> Result<(), BackendError> {
        // As Kafka numbers them: TOPIC, GROUP, TRANSACTIONAL_ID; PREFIXED; ALL; ALLOW.
        let own = [2, 3, 5].map(|resource| {
            AclCreation::default()
                .with_resource_type(resource)
                .with_resource_name(StrBytes::from_static_str("oncelab"))
                .with_resource_pattern_type(4)
                .with_principal(StrBytes::from_string(format!("User:{user}")))
                .with_host(StrBytes::from_static_str("*"))
                .with_operation(2)
                .with_permission_type(3)
        });
        let request = CreateAclsRequest::default().with_creations(own.into());
        let answer = self.ask(&request, CREATE_ACLS).await?;
        match answer.results.iter().find(|result| result.error_code != 0) {
            Some(result) => Err(refused("a user could not be let in", result.error_code)),
            None => Ok(()),
        }
    }

    /// A fresh broker has to fetch a block of producer ids first.
    async fn wait_for_producer_ids(&mut self) -> Result<(), BackendError> {
        let deadline = Instant::now() + TIMEOUT;
        // Not the empty string, which is what it would be otherwise.
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        loop {
            match self.ask(&request, INIT_PRODUCER_ID).await?.error_code {
                0 => return Ok(()),
                code if says_ask_again(code) && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                code => return Err(refused("it gives no producer ids", code)),
            }
        }
    }

    /// A fresh broker makes the topics first in which it notes groups and transactions.
    async fn wait_for_coordinators(&mut self) -> Result<(), BackendError> {
        let deadline = Instant::now() + TIMEOUT;
        // Of a group, and of a transactional id.
        for kind in [0, 1] {
            let key = StrBytes::from_static_str("oncelab");
            let request = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![key]);
            loop {
                let said = self.ask(&request, FIND_COORDINATOR).await?;
                match said.coordinators.first().map_or(said.error_code, |it| it.error_code) {
                    0 => break,
                    code if says_ask_again(code) && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                    code => return Err(refused("it coordinates no groups or transactions", code)),
                }
            }
        }
        Ok(())
    }

    /// The transactional ids that begin so and whose transactions are in one of these states.
    async fn transactions(
        &mut self,
        begins: &str,
        states: &[&'static str],
    ) -> Result<Vec<TransactionalId>, BackendError> {
        let states = states.iter().map(|state| StrBytes::from_static_str(state)).collect();
        let said = self.ask(&ListTransactionsRequest::default().with_state_filters(states), LIST_TRANSACTIONS).await?;
        if said.error_code != 0 {
            return Err(refused("it does not list transactions", said.error_code));
        }
        let ids = said.transaction_states.into_iter().map(|it| it.transactional_id);
        Ok(ids.filter(|id| id.starts_with(begins)).collect())
    }

    /// Waits until no transaction is being ended whose id begins so: until its records are there, or are not.
    ///
    /// # Errors
    /// [`BackendError`] if the broker does not say, or takes too long.
    pub async fn wait_for_ends(&mut self, begins: &str) -> Result<(), BackendError> {
        let deadline = Instant::now() + TIMEOUT;
        while !self.transactions(begins, &["PrepareCommit", "PrepareAbort", "PrepareEpochFence"]).await?.is_empty() {
            if Instant::now() > deadline {
                return Err(broken("a transaction does not come to its end", "see the broker's log"));
            }
            tokio::time::sleep(WAIT_FOR_END).await;
        }
        Ok(())
    }

    /// Aborts every transaction that is open and whose id begins so.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn abort_all(&mut self, begins: &str) -> Result<(), BackendError> {
        for id in self.transactions(begins, &["Ongoing"]).await? {
            let request =
                InitProducerIdRequest::default().with_transactional_id(Some(id)).with_transaction_timeout_ms(1_000);
            // It says that it aborts what is open, which is all that is wanted.
            self.ask(&request, INIT_PRODUCER_ID).await?;
        }
        self.wait_for_ends(begins).await
    }

    /// The names of a group's members.
    ///
    /// # Errors
    /// [`BackendError`] if the broker does not say.
    pub async fn members_of(&mut self, group: &GroupId) -> Result<Vec<StrBytes>, BackendError> {
        let request = DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
        let said = self.ask(&request, DESCRIBE_GROUPS).await?;
        match said.groups.into_iter().next() {
            // GROUP_ID_NOT_FOUND: nobody has joined it.
            Some(group) if [0, 69].contains(&group.error_code) => {
                Ok(group.members.into_iter().map(|member| member.member_id).collect())
            }
            Some(group) => Err(refused("it does not describe a group", group.error_code)),
            None => Ok(Vec::new()),
        }
    }

    /// Lets a member leave its group, as the broker does when its session has run out. One that has gone already is no error.
    ///
    /// # Errors
    /// [`BackendError`] if the broker does not answer.
    pub async fn remove_member(&mut self, member: &NamedMember) -> Result<(), BackendError> {
        self.ask(&requests::leaves(member), requests::LEAVE_GROUP).await.map(drop)
    }

    /// Makes a topic anew, and waits until it can be written to.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn make(&mut self, topic: &str) -> Result<(), BackendError> {
        require_short(topic)?;
        self.remove(&[topic.to_owned()]).await?;
        let wanted = CreatableTopic::default()
            .with_name(as_name(topic))
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(10_000);
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = self.ask(&request, CREATE_TOPICS).await?;
            match answer.topics.first().map_or(UNKNOWN_TOPIC, |made| made.error_code) {
                0 => break,
                // The one that was there before is on its way out.
                TOPIC_EXISTS if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                code => return Err(refused("a topic could not be made", code)),
            }
        }
        while self.ends(topic).await?.is_none() {
            if Instant::now() > deadline {
                return Err(broken("a topic that was made does not come up", "see the broker's log"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Removes topics, as far as they are there.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    async fn remove(&mut self, topics: &[String]) -> Result<(), BackendError> {
        let states = topics.iter().map(|topic| DeleteTopicState::default().with_name(Some(as_name(topic))));
        let request = DeleteTopicsRequest::default().with_topics(states.collect()).with_timeout_ms(10_000);
        for removed in self.ask(&request, DELETE_TOPICS).await?.responses {
            if ![0, UNKNOWN_TOPIC].contains(&removed.error_code) {
                return Err(refused("a topic of the lab's could not be removed", removed.error_code));
            }
        }
        Ok(())
    }

    /// Removes every topic under a prefix.
    ///
    /// # Errors
    /// As [`remove`](Overseer::remove).
    pub async fn remove_under(&mut self, prefix: &str) -> Result<(), BackendError> {
        let (own, below) = (name(prefix), format!("{}.", name(prefix)));
        let all = self.ask(&MetadataRequest::default().with_topics(None), METADATA).await?.topics;
        let names = all.into_iter().filter_map(|topic| Some(topic.name?.to_string()));
        let ours: Vec<String> = names.filter(|name| *name == own || name.starts_with(&below)).collect();
        if ours.is_empty() { Ok(()) } else { self.remove(&ours).await }
    }

    /// Behind the last committed record of each partition; nothing if the topic is not there yet.
    ///
    /// # Errors
    /// [`BackendError`] if the broker does not say.
    pub async fn ends(&mut self, topic: &str) -> Result<Option<Vec<i64>>, BackendError> {
        let partition = |n: i32| ListOffsetsPartition::default().with_partition_index(n).with_timestamp(LATEST);
        let of = ListOffsetsTopic::default()
            .with_name(as_name(topic))
            .with_partitions((0..PARTITIONS).map(partition).collect());
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(READ_COMMITTED)
            .with_topics(vec![of]);
        let mut ends = vec![None; PARTITIONS.unsigned_abs() as usize];
        for said in self.ask(&request, LIST_OFFSETS).await?.topics.into_iter().flat_map(|topic| topic.partitions) {
            let place = usize::try_from(said.partition_index).ok().and_then(|place| ends.get_mut(place));
            match (place, said.error_code) {
                (Some(place), 0) => *place = Some(said.offset),
                // Not there yet, or nobody leads it yet.
                (_, 3 | 5 | 6 | 9) => return Ok(None),
                (_, code) => return Err(refused("it does not say where a partition ends", code)),
            }
        }
        Ok(ends.into_iter().collect())
    }

    /// The committed entries of these partitions from these offsets on: partition by partition, each in the order of its offsets.
    ///
    /// # Errors
    /// [`BackendError`] if they cannot be read, or something else has written there.
    pub async fn entries(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<Vec<Entry>, BackendError> {
        let ends = self.ends(topic).await?.ok_or_else(gone)?;
        let end = |partition: i32| usize::try_from(partition).ok().and_then(|place| ends.get(place)).copied();
        let mut read: Vec<(i32, i64, Vec<Entry>)> = from.iter().map(|(n, first)| (*n, *first, Vec::new())).collect();
        loop {
            let behind = |(n, next, _): &&(i32, i64, Vec<Entry>)| end(*n).is_some_and(|end| *next < end);
            let wanted: Vec<(i32, i64)> = read.iter().filter(behind).map(|(n, next, _)| (*n, *next)).collect();
            if wanted.is_empty() {
                break;
            }
            for (partition, sent) in self.fetch(topic, &wanted).await? {
                let Some((_, next, entries)) = read.iter_mut().find(|(n, ..)| *n == partition) else { continue };
                let (more, behind) = records::read(sent, *next)?;
                entries.extend(more);
                *next = behind;
            }
        }
        let entries = read.into_iter().flat_map(|(.., entries)| entries);
        Ok((1..).zip(entries).map(|(number, entry)| Entry { number, ..entry }).collect())
    }

    /// What is in these partitions from these offsets on, without waiting for more.
    async fn fetch(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<Vec<(i32, records::Sent)>, BackendError> {
        let partition = |(n, offset): &(i32, i64)| {
            FetchPartition::default()
                .with_partition(*n)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(READ_AT_A_TIME)
        };
        let of = FetchTopic::default().with_topic(as_name(topic)).with_partitions(from.iter().map(partition).collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(READ_AT_A_TIME)
            .with_isolation_level(READ_COMMITTED)
            .with_topics(vec![of]);
        let answer = self.ask(&request, FETCH).await?;
        let mut fetched = Vec::new();
        for of in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            if of.error_code != 0 {
                return Err(refused("a partition cannot be read", of.error_code));
            }
            let aborted = of.aborted_transactions.unwrap_or_default();
            let aborted = aborted.into_iter().map(|it| (it.producer_id.0, it.first_offset)).collect();
            fetched.push((of.partition_index, records::Sent { bytes: of.records.unwrap_or_default(), aborted }));
        }
        Ok(fetched)
    }
}

/// Why there is no connection.
fn unheard(broker: &Broker, why: Unanswered) -> BackendError {
    match why {
        Unanswered::Broken(error) => error,
        Unanswered::Cut | Unanswered::NotSent => broken(format!("no answer from {}", broker.address), IS_KAFKA),
    }
}

/// What a broker says of itself: brokers do not tell their version, but the level of their metadata.
fn described(versions: &ApiVersionsResponse) -> String {
    let level = versions.finalized_features.iter().find(|feature| feature.name.as_str() == "metadata.version");
    level.map_or_else(|| "of an unknown version".to_owned(), |it| format!("metadata.version {}", it.max_version_level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_bears_its_prefix_in_letters_that_topics_may_have() {
        assert_eq!(name("oncelab/results/quick 1/2"), "oncelab.results.quick.1.2");
        assert!(require_short(&"t".repeat(249)).is_ok());
        let said = require_short(&name(&"long/".repeat(50))).unwrap_err().to_string();
        assert!(said.contains("250 letters") && said.contains("--out"), "{said}");
        assert_eq!((partition(AccountId(3)), partition(AccountId(19))), (3, 3));
    }
}
