//! Locks that guard no row: each has a message's id for a name, and keeps out nobody but those who ask for it.
//!
//! Source: PostgreSQL 15, chapter 13.3.5 "Advisory Locks".

use super::Tables;
use crate::service::modelled::Waits;
use crate::service::store::program::Advisory;
use crate::terms::{MessageId, Session, Sessions};

/// A lock that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct HeldName {
    pub name: MessageId,
    pub holder: Session,
    /// Whether it is released when the transaction of its holder ends.
    pub ends_with_transaction: bool,
}

impl Tables {
    /// Takes or releases a lock. Whoever holds it already takes it once more, and must release it as often.
    pub(super) fn advise(
        &mut self,
        session: Session,
        is_in_transaction: bool,
        name: MessageId,
        how: Advisory,
    ) -> Result<(), Waits> {
        let of_session = |lock: &HeldName| lock.name == name && lock.holder == session && !lock.ends_with_transaction;
        if how == Advisory::Release {
            if let Some(at) = self.advisory.iter().position(of_session) {
                self.advisory.remove(at);
                self.let_go();
            }
            return Ok(());
        }
        if let Some(other) = self.advisory.iter().find(|lock| lock.name == name && lock.holder != session) {
            return Err(Waits::For(Sessions::only(other.holder)));
        }
        let ends_with_transaction = how == Advisory::ForTransaction;
        // Outside a transaction the statement is one of its own, and the lock is free when it ends.
        if ends_with_transaction && !is_in_transaction {
            return Ok(());
        }
        let at = self.advisory.partition_point(|lock| lock.name <= name);
        self.advisory.insert(at, HeldName { name, holder: session, ends_with_transaction });
        Ok(())
    }

    /// The transaction of a connection has ended.
    pub(super) fn release_with_transaction(&mut self, session: Session) {
        self.advisory.retain(|lock| lock.holder != session || !lock.ends_with_transaction);
    }
}
