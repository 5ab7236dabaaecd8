//! The words that a strategy has for Kafka.

use super::KafkaService;
use super::op::KafkaOp;
use super::response::KafkaResponse;
use crate::service::contract::{Asked, Carries, CarriesAll};
use crate::terms::{
    AccountId, Answer, ClientId, Epoch, MemberId, Membership, Offset, Producer, Request, Role, TransactionProtocol,
    Transactions, Trouble,
};

/// A Kafka, as a strategy asks it.
pub struct KafkaClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

impl<'w, C: Carries<'w, KafkaService>> KafkaClient<'w, C> {
    /// `[InitProducerId]`: begins a producer session. The broker tells copies apart within a session, and not from one to the next.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if there is certainly none, `Unknown` if nobody can tell.
    #[inline]
    pub fn init_producer_id(self) -> Asked<C::Call, KafkaResponse, Producer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::init_producer_id()))
    }

    /// `[produce X]`, idempotence off: appends the record of the effect, as often as it is asked for.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if it was certainly not appended, `Unknown` if nobody can tell.
    #[inline]
    pub fn produce(self, request: &Request) -> Asked<C::Call, KafkaResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::produce(request)))
    }

    /// `[produce X as number n]`: appends the record of the effect, unless the producer has appended its record of this number before.
    /// The first number is 0.
    ///
    /// # Errors
    /// As [`produce`](KafkaClient::produce); `Failed` also if the number is not the next one, or the producer is fenced.
    #[inline]
    pub fn produce_numbered(
        self,
        request: &Request,
        producer: Producer,
        sequence: u8,
    ) -> Asked<C::Call, KafkaResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::produce_numbered(request, producer, sequence)))
    }

    /// `[InitProducerId of the client's transactional id]`: takes over the transactions on its records, and fences whoever had them. Nothing
    /// if one was open: it is aborted now, and whoever asks again takes them over.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if they were certainly not taken over, `Unknown` if nobody can tell.
    #[inline]
    pub fn init_transactions(self, client: ClientId) -> Asked<C::Call, KafkaResponse, Option<Producer>> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::init_transactions(client)))
    }

    /// `[AddPartitionsToTxn]`: the account's partition belongs to the transaction. The second protocol does without.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if it certainly does not, or the session is fenced; `Unknown` if nobody can tell.
    #[inline]
    pub fn add_partition(self, to: Transactions, account: AccountId) -> Asked<C::Call, KafkaResponse, ()> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::add_partition(to, account)))
    }

    /// `[produce X as number n in the transaction]`: appends the record of the effect, which nobody sees before the transaction commits.
    ///
    /// # Errors
    /// As [`produce_numbered`](KafkaClient::produce_numbered); `Failed` also if the partition does not belong to a transaction.
    #[inline]
    pub fn produce_in_transaction(
        self,
        request: &Request,
        to: Transactions,
        sequence: u8,
    ) -> Asked<C::Call, KafkaResponse, Answer> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::produce_in_transaction(request, to, sequence)))
    }

    /// `[AddOffsetsToTxn]`: the group's offsets belong to the transaction. The second protocol does without.
    ///
    /// # Errors
    /// As [`add_partition`](KafkaClient::add_partition).
    #[inline]
    pub fn add_offsets(self, to: Transactions) -> Asked<C::Call, KafkaResponse, ()> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::add_offsets(to)))
    }

    /// `[commit the offset behind the request in the transaction]`: the group has done the request, once the transaction commits.
    ///
    /// # Errors
    /// As [`add_partition`](KafkaClient::add_partition); `Failed` also if the offsets do not belong to a transaction.
    #[inline]
    pub fn commit_offset_in_transaction(
        self,
        request: &Request,
        to: Transactions,
    ) -> Asked<C::Call, KafkaResponse, ()> {
        let op = KafkaOp::commit_offset_in_transaction(to, Offset::behind(request));
        Asked::by(self.carrier.carry(self.role, op))
    }

    /// `[EndTxn(commit)]`: what was written in the transaction is there. The epoch that the session is in from now on.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if there is no such transaction, `Unknown` if nobody can tell what became of it.
    #[inline]
    pub fn commit_transaction(self, transactions: Transactions) -> Asked<C::Call, KafkaResponse, Epoch> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::commit_transaction(transactions)))
    }

    /// `[EndTxn(abort)]`: what was written in the transaction is not there. The epoch that the session is in from now on.
    ///
    /// # Errors
    /// As [`commit_transaction`](KafkaClient::commit_transaction).
    #[inline]
    pub fn abort_transaction(self, transactions: Transactions) -> Asked<C::Call, KafkaResponse, Epoch> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::abort_transaction(transactions)))
    }

    /// `[fetch the offset]`: how far the group has come in the client's records.
    ///
    /// # Errors
    /// `InProgress` if a transaction that is open may change it, `Unknown` if nobody answers.
    #[inline]
    pub fn fetch_offset(self, client: ClientId) -> Asked<C::Call, KafkaResponse, Option<Offset>> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::fetch_offset(client)))
    }

    /// `[commit the offset behind the request]`: the group has done the request.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if that is certainly not noted, `Unknown` if nobody can tell.
    #[inline]
    pub fn commit_offset(self, request: &Request) -> Asked<C::Call, KafkaResponse, ()> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::commit_offset(request.client, Offset::behind(request))))
    }

    /// `[JoinGroup]`: becomes the one member of the group that works on the client's records. Waits while another one is: until that one
    /// leaves, or its session runs out.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if nobody joined for certain, `Unknown` if nobody can tell.
    #[inline]
    pub fn join_group(self, client: ClientId) -> Asked<C::Call, KafkaResponse, MemberId> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::join_group(client)))
    }

    /// `[SyncGroup]`: the records are given to the member from now on.
    ///
    /// # Errors
    /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if there is no such member any more, `Unknown` if nobody can tell.
    #[inline]
    pub fn sync_group(self, membership: Membership) -> Asked<C::Call, KafkaResponse, ()> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::sync_group(membership)))
    }

    /// `[commit the offset behind the request as a member]`: the group has done the request.
    ///
    /// # Errors
    /// As [`sync_group`](KafkaClient::sync_group); `InProgress` if the member has not been given its records.
    #[inline]
    pub fn commit_offset_as(self, request: &Request, membership: Membership) -> Asked<C::Call, KafkaResponse, ()> {
        let op = KafkaOp::commit_offset_as(membership, Offset::behind(request));
        Asked::by(self.carrier.carry(self.role, op))
    }

    /// `[LeaveGroup]`: another one can become a member.
    ///
    /// # Errors
    /// As [`sync_group`](KafkaClient::sync_group).
    #[inline]
    pub fn leave_group(self, membership: Membership) -> Asked<C::Call, KafkaResponse, ()> {
        Asked::by(self.carrier.carry(self.role, KafkaOp::leave_group(membership)))
    }
}

impl<C: CarriesAll<KafkaService>> KafkaClient<'_, C> {
    /// `[JoinGroup] [SyncGroup]`: becomes a member, and is given the records.
    ///
    /// # Errors
    /// As [`join_group`](KafkaClient::join_group) and [`sync_group`](KafkaClient::sync_group).
    pub async fn enter_group(mut self, client: ClientId) -> Result<Membership, Trouble> {
        let member = self.again().join_group(client).await?;
        let membership = Membership { client, member };
        self.again().sync_group(membership).await?;
        Ok(membership)
    }

    fn again(&mut self) -> KafkaClient<'_, C> {
        KafkaClient { carrier: self.carrier, role: self.role }
    }

    /// `[fetch the offset]`: whether a request's record is the next one; it is not if it is done. Records of a client are done in their order.
    ///
    /// # Errors
    /// As [`fetch_offset`](KafkaClient::fetch_offset); `InProgress` also if records before it are not done.
    pub async fn is_next(self, request: &Request) -> Result<bool, Trouble> {
        let Offset(next) = self.fetch_offset(request.client).await?.unwrap_or(Offset(0));
        if request.sequence > next { Err(Trouble::InProgress) } else { Ok(request.sequence == next) }
    }

    /// `[fetch the offset]`: whether the group has come further than a request's record.
    ///
    /// # Errors
    /// As [`fetch_offset`](KafkaClient::fetch_offset).
    pub async fn is_done(self, request: &Request) -> Result<bool, Trouble> {
        Ok(self.fetch_offset(request.client).await?.is_some_and(|offset| request.sequence < offset.0))
    }

    /// Takes over the transactions on a client's records: one operation, and another one if a transaction was open.
    ///
    /// # Errors
    /// As [`init_transactions`](KafkaClient::init_transactions); `InProgress` if there is a transaction open again.
    pub async fn take_over(mut self, client: ClientId, protocol: TransactionProtocol) -> Result<Transactions, Trouble> {
        let mut producer = self.again().init_transactions(client).await?;
        if producer.is_none() {
            producer = self.again().init_transactions(client).await?;
        }
        producer.map(|producer| Transactions { client, producer, protocol }).ok_or(Trouble::InProgress)
    }

    /// Commits a transaction: one operation, and the same again if nobody knows what became of it. A broker that has committed it says so
    /// again.
    ///
    /// # Errors
    /// As [`commit_transaction`](KafkaClient::commit_transaction).
    pub async fn commit(mut self, transactions: Transactions) -> Result<Transactions, Trouble> {
        let epoch = match self.again().commit_transaction(transactions).await {
            Err(Trouble::Unknown) => self.again().commit_transaction(transactions).await,
            heard => heard,
        };
        Ok(transactions.in_epoch(epoch?))
    }

    /// Aborts a transaction: one operation, and the same again if nobody knows what became of it.
    ///
    /// # Errors
    /// As [`abort_transaction`](KafkaClient::abort_transaction).
    pub async fn abort(mut self, transactions: Transactions) -> Result<Transactions, Trouble> {
        let epoch = match self.again().abort_transaction(transactions).await {
            Err(Trouble::Unknown) => self.again().abort_transaction(transactions).await,
            heard => heard,
        };
        Ok(transactions.in_epoch(epoch?))
    }
}
