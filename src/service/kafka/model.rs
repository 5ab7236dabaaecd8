//! What Kafka does, without I/O, as far as the lab asks it: what a partition remembers of its producers, and how far the group has come.
//!
//! The records that are committed stand in the ledger.

use super::op::{KafkaCall, KafkaOp, RECORDED};
use super::past::KafkaPast;
use super::response::KafkaResponse;
use super::transactions::{Ended, KnownTransactions, WrittenRecord};
use super::{KafkaModelFlaw, KafkaService};
use crate::service::contract::asker_of;
use crate::service::modelled::{Asker, Called, Holder, Model, ModelSettings, Modelled, Timer, Waits};
use crate::service::{HasIds, Ids};
use crate::terms::{
    AccountId, ClientId, Effect, Entry, Epoch, MemberId, Membership, Offset, OutcomeOf, Producer, ProducerId, Role,
    Session, TransactionProtocol, Transactions,
};

/// So many of a producer's last batches does a partition remember. An operation is a batch of one record.
const REMEMBERED: u8 = 5;

/// What a partition remembers of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KnownProducer {
    epoch: i16,
    /// The number of its next batch.
    next: u16,
    /// How many batches it remembers, of this epoch: the last ones.
    batches: u8,
}

impl KnownProducer {
    /// One whose first batch in an epoch has this number.
    fn new(epoch: i16, number: u8) -> Self {
        KnownProducer { epoch, next: u16::from(number) + 1, batches: 1 }
    }

    /// One of whom the partition knows only that a transaction of its has ended, in this epoch.
    fn marked(epoch: i16) -> Self {
        KnownProducer { epoch, next: 0, batches: 0 }
    }

    /// A transaction of its has ended, in this epoch.
    fn mark(&mut self, epoch: i16) {
        if epoch != self.epoch {
            *self = KnownProducer::marked(epoch);
        }
    }

    fn remembers(self, number: u8) -> bool {
        self.next.checked_sub(number.into()).is_some_and(|ago| (1..=self.batches.into()).contains(&ago))
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

/// The number with which somebody may begin of whom a partition knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstNumber {
    Any,
    /// Under the second protocol of transactions.
    Zero,
}

/// What becomes of a producer's batch in this epoch and with this number, in a partition that remembers this of the producer.
fn receive(known: Option<KnownProducer>, epoch: i16, number: u8, first: FirstNumber) -> Received {
    let Some(known) = known else {
        return match first {
            FirstNumber::Zero if number != 0 => Received::OutOfOrder,
            FirstNumber::Zero | FirstNumber::Any => Received::Appended(KnownProducer::new(epoch, number)),
        };
    };
    match epoch.cmp(&known.epoch) {
        std::cmp::Ordering::Less => Received::Fenced,
        std::cmp::Ordering::Greater if number == 0 => Received::Appended(KnownProducer::new(epoch, 0)),
        std::cmp::Ordering::Greater => Received::OutOfOrder,
        std::cmp::Ordering::Equal if known.remembers(number) => Received::Copy,
        std::cmp::Ordering::Equal if known.next == u16::from(number) => {
            let batches = (known.batches + 1).min(REMEMBERED);
            Received::Appended(KnownProducer { next: known.next + 1, batches, ..known })
        }
        std::cmp::Ordering::Equal => Received::OutOfOrder,
    }
}

/// Who appends: a producer session, or whoever has taken over a client's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Appends {
    Session(ProducerId),
    Transactions(ClientId),
}

/// The partitions of the output topic, one for each account; what is known of transactions, by client; and how far the group has come.
/// Of each there are few, so that a list in its order does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KafkaPartitions {
    producers: Vec<((AccountId, Appends), KnownProducer)>,
    transactions: Vec<(ClientId, KnownTransactions)>,
    /// The records that were not let in, by partition and whose they were.
    refused: Vec<((AccountId, ClientId), RefusedNumber)>,
    offsets: Vec<(ClientId, Offset)>,
    /// The member of the group that works on a client's records.
    members: Vec<(ClientId, KnownMember)>,
    flaw: Option<KafkaModelFlaw>,
}

/// The lowest number that a partition has asked about, in an epoch: whether the record belongs to an open transaction. The partition
/// forgets it with the first record that it takes, and with the end of a transaction; till then it takes no higher number than this one,
/// whoever came with it. (`VerificationStateEntry` in the sources of the broker.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RefusedNumber {
    epoch: i16,
    number: u8,
}

/// The one member that a group has: another one waits until it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KnownMember {
    id: MemberId,
    /// It has been given its records.
    is_given: bool,
}

/// What is under a key in a list that is in the order of its keys.
fn under<K: Ord + Copy, V>(list: &mut Vec<(K, V)>, key: K, first: impl FnOnce() -> V) -> &mut V {
    let place = match list.binary_search_by_key(&key, |(its, _)| *its) {
        Ok(place) => place,
        Err(place) => {
            list.insert(place, (key, first()));
            place
        }
    };
    &mut list[place].1
}

impl KafkaPartitions {
    fn respond(&mut self, op: KafkaOp, by: &Asker, ledger: &mut Vec<Entry>) -> KafkaResponse {
        match op.call() {
            KafkaCall::InitProducerId => KafkaResponse::Initialized(Producer { id: named(by), epoch: 0 }),
            KafkaCall::Produce(message, effect) => {
                append(WrittenRecord { message, effect, by: by.by }, by.role, ledger);
                KafkaResponse::Appended(RECORDED)
            }
            KafkaCall::ProduceNumbered(message, effect, producer, number) => {
                let from = Appends::Session(producer.id);
                let (said, is_new) = self.receive(effect, from, (producer.epoch, number), FirstNumber::Any);
                if is_new {
                    append(WrittenRecord { message, effect, by: by.by }, by.role, ledger);
                }
                said
            }
            KafkaCall::InitTransactions(client) => self.init_transactions(client, by),
            KafkaCall::AddPartition(of, account) => self.within(of, |known| known.add_partition(account)),
            KafkaCall::AddOffsets(of) => self.within(of, KnownTransactions::add_offsets),
            KafkaCall::ProduceInTransaction(message, effect, of, number) => {
                let written = WrittenRecord { message, effect, by: by.by };
                self.ask_about(of, effect.account, number);
                let admitted = self.within(of, |known| known.admit_record(of.protocol, effect.account));
                if admitted != KafkaResponse::Noted {
                    return admitted;
                }
                let from = Appends::Transactions(of.client);
                let first = match of.protocol {
                    TransactionProtocol::One => FirstNumber::Any,
                    TransactionProtocol::Two => FirstNumber::Zero,
                };
                let (said, is_new) = self.receive(effect, from, (of.producer.epoch, number), first);
                if is_new {
                    self.refused.retain(|(of_whom, _)| *of_whom != (effect.account, of.client));
                    self.within(of, |known| known.write(written));
                }
                said
            }
            KafkaCall::CommitOffsetInTransaction(of, offset) => {
                self.within(of, |known| known.write_offset(of.protocol, offset))
            }
            KafkaCall::EndTransaction(of, how) => {
                let raises = self.flaw != Some(KafkaModelFlaw::EndsInTheSameEpoch);
                let Some(known) = self.known(of.client) else { return KafkaResponse::Fenced };
                match known.end(of, how, raises) {
                    Ok(ended) => {
                        let epoch = ended.epoch;
                        self.finish(of.client, ended, by.role, ledger);
                        KafkaResponse::Ended(Epoch(epoch))
                    }
                    Err(said) => said,
                }
            }
            KafkaCall::FetchOffset(client) => match self.known(client) {
                Some(known) if known.may_move_offset() => KafkaResponse::Unstable,
                Some(_) | None => {
                    KafkaResponse::At(self.offsets.iter().find(|(of, _)| *of == client).map(|(_, offset)| *offset))
                }
            },
            KafkaCall::CommitOffset(client, offset) => {
                *under(&mut self.offsets, client, || offset) = offset;
                KafkaResponse::Noted
            }
            KafkaCall::JoinGroup(client) => {
                let member = KnownMember { id: MemberId(small(by.id)), is_given: false };
                *under(&mut self.members, client, || member) = member;
                KafkaResponse::Joined(member.id)
            }
            KafkaCall::SyncGroup(of) => match self.member(of) {
                Some(member) => {
                    member.is_given = true;
                    KafkaResponse::Noted
                }
                None => KafkaResponse::NoMember,
            },
            KafkaCall::CommitOffsetAs(of, offset) => match self.member(of) {
                Some(KnownMember { is_given: true, .. }) => {
                    *under(&mut self.offsets, of.client, || offset) = offset;
                    KafkaResponse::Noted
                }
                Some(_) => KafkaResponse::Rebalancing,
                None => KafkaResponse::NoMember,
            },
            KafkaCall::LeaveGroup(of) => {
                let before = self.members.len();
                self.members.retain(|(client, member)| (*client, member.id) != (of.client, of.member));
                if self.members.len() < before { KafkaResponse::Noted } else { KafkaResponse::NoMember }
            }
        }
    }

    /// The member that this names, if it is one still.
    fn member(&mut self, of: Membership) -> Option<&mut KnownMember> {
        let mut members = self.members.iter_mut();
        members.find(|(client, member)| (*client, member.id) == (of.client, of.member)).map(|(_, member)| member)
    }

    /// The members for whose end an operation has to wait.
    fn ahead(&self, op: KafkaOp) -> impl Iterator<Item = Timer> {
        let joins = match op.call() {
            KafkaCall::JoinGroup(client) if self.flaw != Some(KafkaModelFlaw::AdmitsTwo) => Some(client),
            _ => None,
        };
        self.members.iter().filter(move |(client, _)| joins == Some(*client)).map(|(_, member)| timer_of(*member))
    }

    fn known(&mut self, client: ClientId) -> Option<&mut KnownTransactions> {
        self.transactions.iter_mut().find(|(of, _)| *of == client).map(|(_, known)| known)
    }

    /// What becomes of something that is done in a transaction, if its session is not fenced.
    fn within(
        &mut self,
        of: Transactions,
        what: impl FnOnce(&mut KnownTransactions) -> KafkaResponse,
    ) -> KafkaResponse {
        match self.known(of.client) {
            Some(known) if known.is_in(of.producer.epoch) => what(known),
            Some(_) | None => KafkaResponse::Fenced,
        }
    }

    /// A partition asks about a record whether it belongs to an open transaction, unless it knows of a later epoch, or has taken one of the
    /// same transaction.
    fn ask_about(&mut self, of: Transactions, account: AccountId, number: u8) {
        let epoch = of.producer.epoch;
        let key = (account, Appends::Transactions(of.client));
        let is_past = |(its, known): &((AccountId, Appends), KnownProducer)| *its == key && known.epoch > epoch;
        let has_record = self.known(of.client).is_some_and(|known| known.is_in(epoch) && known.has_record_in(account));
        if has_record || self.producers.iter().any(is_past) {
            return;
        }
        let asked = under(&mut self.refused, (account, of.client), || RefusedNumber { epoch, number });
        if epoch > asked.epoch || (epoch == asked.epoch && number < asked.number) {
            *asked = RefusedNumber { epoch, number };
        }
    }

    /// What becomes of a batch, and whether a record is new.
    fn receive(
        &mut self,
        effect: Effect,
        from: Appends,
        (epoch, number): (i16, u8),
        first: FirstNumber,
    ) -> (KafkaResponse, bool) {
        let key = (effect.account, from);
        let place = self.producers.binary_search_by_key(&key, |(its, _)| *its);
        let is_above = |asked: &&((AccountId, ClientId), RefusedNumber)| {
            let ((account, client), refused) = **asked;
            (account, Appends::Transactions(client)) == key && number > refused.number
        };
        match receive(place.ok().map(|at| self.producers[at].1), epoch, number, first) {
            Received::Appended(_) if self.refused.iter().any(|asked| is_above(&asked)) => {
                (KafkaResponse::OutOfOrder, false)
            }
            Received::Appended(known) => {
                match place {
                    Ok(at) => self.producers[at].1 = known,
                    Err(at) => self.producers.insert(at, (key, known)),
                }
                (KafkaResponse::Appended(RECORDED), true)
            }
            // Whatever the copy says: the broker looks at its number alone.
            Received::Copy => (KafkaResponse::Appended(RECORDED), self.flaw == Some(KafkaModelFlaw::KeepsCopies)),
            Received::OutOfOrder => (KafkaResponse::OutOfOrder, false),
            Received::Fenced => (KafkaResponse::Fenced, false),
        }
    }

    /// Takes over a client's transactions. The one that is open is aborted first, and nobody has them then.
    fn init_transactions(&mut self, client: ClientId, by: &Asker) -> KafkaResponse {
        let known = under(&mut self.transactions, client, KnownTransactions::before_the_first);
        match known.take_over() {
            Ok(epoch) => KafkaResponse::Initialized(Producer { id: named(by), epoch }),
            Err(aborted) => {
                self.finish(client, aborted, by.role, &mut Vec::new());
                KafkaResponse::Concurrent
            }
        }
    }

    /// Tells the partitions of a transaction how it has ended.
    fn finish(&mut self, client: ClientId, ended: Ended, role: Role, ledger: &mut Vec<Entry>) {
        for account in ended.partitions {
            self.refused.retain(|(of_whom, _)| *of_whom != (account, client));
            let key = (account, Appends::Transactions(client));
            under(&mut self.producers, key, || KnownProducer::marked(ended.epoch)).mark(ended.epoch);
        }
        for written in ended.committed {
            append(written, role, ledger);
        }
        if let Some(offset) = ended.offset {
            *under(&mut self.offsets, client, || offset) = offset;
        }
    }
}

/// The name that whatever an operation makes bears.
fn named(by: &Asker) -> ProducerId {
    ProducerId(small(by.id))
}

fn small(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

/// The session of a member.
fn timer_of(member: KnownMember) -> Timer {
    Timer(member.id.0.into())
}

/// Appends a record that is committed.
fn append(written: WrittenRecord, role: Role, ledger: &mut Vec<Entry>) {
    let WrittenRecord { message, effect, by } = written;
    ledger.push(Entry {
        role,
        number: ledger.len() as u64 + 1,
        message,
        account: effect.account,
        amount: effect.amount.into(),
        balance: RECORDED.0,
        token: None,
        by,
    });
}

impl Model for KafkaPartitions {
    type Op = KafkaOp;
    type Response = KafkaResponse;

    fn call(&mut self, _: Session, op: &KafkaOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<KafkaResponse> {
        if self.ahead(*op).next().is_some() {
            return Err(Waits::ForTimers);
        }
        Ok(OutcomeOf::Ok(self.respond(*op, by, ledger)))
    }

    fn begin_again(&mut self) {
        self.producers.clear();
        self.transactions.clear();
        self.refused.clear();
        self.offsets.clear();
        self.members.clear();
    }

    fn has_names(&self) -> bool {
        !self.members.is_empty() || self.producers.iter().any(|((_, from), _)| matches!(from, Appends::Session(_)))
    }

    fn rename(&mut self, _: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
        for ((_, from), _) in &mut self.producers {
            if let Appends::Session(producer) = from {
                *producer = producer.map_ids(ids);
            }
        }
        self.producers.sort_unstable_by_key(|(key, _)| *key);
        for (_, member) in &mut self.members {
            member.id = member.id.map_ids(ids);
        }
    }

    /// The session with which a holder is a member.
    fn timer(&self, of: Holder) -> Option<Timer> {
        let is_its =
            |Timer(id): &Timer| matches!(asker_of(*id), (lane, attempt, _) if (lane, attempt) == (of.lane, of.attempt));
        self.members.iter().map(|(_, member)| timer_of(*member)).filter(is_its).max()
    }

    fn fire(&mut self, timer: Timer) {
        self.members.retain(|(_, member)| timer_of(*member) != timer);
    }

    fn timers_ahead(&self, op: KafkaOp) -> Vec<Timer> {
        self.ahead(op).collect()
    }
}

impl Modelled for KafkaService {
    type Model = KafkaPartitions;
    type Past = KafkaPast;

    fn model(settings: &ModelSettings) -> KafkaPartitions {
        KafkaPartitions { flaw: settings.kafka_flaw, ..KafkaPartitions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of batches, one after the other: `+` appended, `=` a copy, `!` out of order, `x` fenced.
    fn received(batches: &[(i16, u8)]) -> String {
        let mut known = None;
        let mark = |&(epoch, number): &(i16, u8)| match receive(known, epoch, number, FirstNumber::Any) {
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
