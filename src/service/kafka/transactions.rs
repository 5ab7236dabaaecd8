//! What a broker knows of the transactions under a transactional id, without I/O.
//!
//! Source: KIP-98 and KIP-890, and a broker of version 4.3.1, which the tests hold this against.

use super::op::End;
use super::response::KafkaResponse;
use crate::terms::{AccountId, Delivery, Effect, MessageId, Offset, TransactionProtocol, Transactions};

/// A record in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WrittenRecord {
    pub message: MessageId,
    pub effect: Effect,
    pub by: Delivery,
}

/// What has become of the newest transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TransactionState {
    /// There was none in this session.
    Empty,
    Open,
    Over(End),
}

/// The transactions under a transactional id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KnownTransactions {
    epoch: i16,
    state: TransactionState,
    /// What belongs to the open transaction: partitions in their order, and whether the group's offsets do.
    partitions: Vec<AccountId>,
    has_offsets: bool,
    /// What is written in it.
    written: Vec<WrittenRecord>,
    offset: Option<Offset>,
}

/// A transaction that has ended: the epoch in which its partitions are told so, and what is there from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub epoch: i16,
    pub partitions: Vec<AccountId>,
    pub committed: Vec<WrittenRecord>,
    pub offset: Option<Offset>,
}

impl KnownTransactions {
    /// Nobody has used the id yet.
    pub fn before_the_first() -> Self {
        KnownTransactions {
            epoch: -1,
            state: TransactionState::Empty,
            partitions: Vec::new(),
            has_offsets: false,
            written: Vec::new(),
            offset: None,
        }
    }

    pub fn is_in(&self, epoch: i16) -> bool {
        self.epoch == epoch
    }

    /// Whether a record of the open transaction is in this partition.
    pub fn has_record_in(&self, account: AccountId) -> bool {
        self.written.iter().any(|written| written.effect.account == account)
    }

    /// Whether the open transaction may change how far the group has come.
    pub fn may_move_offset(&self) -> bool {
        self.offset.is_some()
    }

    /// Somebody takes them over, in a new epoch. A transaction that is open is aborted instead.
    pub fn take_over(&mut self) -> Result<i16, Ended> {
        self.epoch += 1;
        if self.state == TransactionState::Open {
            return Err(self.over(End::Abort));
        }
        self.state = TransactionState::Empty;
        Ok(self.epoch)
    }

    fn over(&mut self, how: End) -> Ended {
        self.state = TransactionState::Over(how);
        self.has_offsets = false;
        let (written, offset) = (std::mem::take(&mut self.written), self.offset.take());
        let is_committed = how == End::Commit;
        Ended {
            epoch: self.epoch,
            partitions: std::mem::take(&mut self.partitions),
            committed: if is_committed { written } else { Vec::new() },
            offset: offset.filter(|_| is_committed),
        }
    }

    pub fn add_partition(&mut self, account: AccountId) -> KafkaResponse {
        self.state = TransactionState::Open;
        if let Err(place) = self.partitions.binary_search(&account) {
            self.partitions.insert(place, account);
        }
        KafkaResponse::Noted
    }

    pub fn add_offsets(&mut self) -> KafkaResponse {
        self.state = TransactionState::Open;
        self.has_offsets = true;
        KafkaResponse::Noted
    }

    /// Whether a record to this partition belongs to the open transaction. Under the second protocol it does from now on.
    pub fn admit_record(&mut self, protocol: TransactionProtocol, account: AccountId) -> KafkaResponse {
        match protocol {
            TransactionProtocol::Two => self.add_partition(account),
            TransactionProtocol::One if self.partitions.contains(&account) => KafkaResponse::Noted,
            TransactionProtocol::One => KafkaResponse::InvalidState,
        }
    }

    pub fn write(&mut self, written: WrittenRecord) -> KafkaResponse {
        self.written.push(written);
        KafkaResponse::Noted
    }

    /// Notes how far the group has come, if that belongs to the open transaction. Under the second protocol it does from now on.
    pub fn write_offset(&mut self, protocol: TransactionProtocol, offset: Offset) -> KafkaResponse {
        if protocol == TransactionProtocol::Two {
            self.add_offsets();
        }
        if !self.has_offsets {
            return KafkaResponse::InvalidState;
        }
        self.offset = Some(offset);
        KafkaResponse::Noted
    }

    /// Ends the open transaction. Under the second protocol that raises the epoch, if this is not to be left out.
    ///
    /// # Errors
    /// What is said where there is none that could end so.
    pub fn end(&mut self, of: Transactions, how: End, raises: bool) -> Result<Ended, KafkaResponse> {
        let raised = i16::from(of.protocol == TransactionProtocol::Two && raises);
        let nothing = |epoch| Ended { epoch, partitions: Vec::new(), committed: Vec::new(), offset: None };
        // It may ask again for an end that has been: the epoch has been raised since.
        if raised == 1
            && of.producer.epoch == self.epoch - 1
            && let TransactionState::Over(was) = self.state
        {
            return if was == how { Ok(nothing(self.epoch)) } else { Err(KafkaResponse::InvalidState) };
        }
        if !self.is_in(of.producer.epoch) {
            return Err(KafkaResponse::Fenced);
        }
        match (self.state, how) {
            (TransactionState::Open, _) => {
                self.epoch += raised;
                Ok(self.over(how))
            }
            (TransactionState::Over(was), _) if of.protocol == TransactionProtocol::One && was == how => {
                Ok(nothing(self.epoch))
            }
            // Whoever cannot know whether there is one may abort it.
            (TransactionState::Empty | TransactionState::Over(_), End::Abort)
                if of.protocol == TransactionProtocol::Two =>
            {
                self.epoch += raised;
                Ok(self.over(how))
            }
            (TransactionState::Empty | TransactionState::Over(_), _) => Err(KafkaResponse::InvalidState),
        }
    }
}
