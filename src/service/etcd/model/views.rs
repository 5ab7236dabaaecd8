//! The lock service as it is seen without some of those who ask it: a lock that they hold stays held, and a lease of theirs with nothing
//! attached to it is of no use to others.

use super::{LockModelFlaw, LockService};
use crate::service::modelled::{Heir, OutOfSight, Party};
use crate::terms::LeaseId;

const QUEUE: OutOfSight = OutOfSight("a place in the queue of a lock is taken up in the step of whoever lets go");
const TWO_LOCKS: OutOfSight = OutOfSight("two locks are held by lanes that are out of sight");

impl LockService {
    fn require_sight(&self) -> Result<(), OutOfSight> {
        if self.waiters.is_empty() && self.turns.is_empty() { Ok(()) } else { Err(QUEUE) }
    }

    fn leases_of(&self, party: Party) -> Vec<LeaseId> {
        self.leases().filter(|lease| party.asked_for(lease.0)).collect()
    }

    /// Seen without a party.
    pub(super) fn without(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
        self.require_sight()?;
        let left = LeaseId(heir.id());
        for lease in self.leases_of(party) {
            if !self.leases.has_keys(lease) {
                self.leases.drop_lease(lease);
            } else if self.flaw == Some(LockModelFlaw::ForgetsHolders) {
                self.end_lease(lease);
            } else if self.is_alive(left) {
                return Err(TWO_LOCKS);
            } else {
                self.rename_leases(&mut |its| if its == lease { left } else { its });
            }
        }
        Ok(())
    }

    /// Seen with what a party has in another view.
    pub(super) fn with(&self, from: &Self, party: Party, heir: Heir) -> Result<Self, OutOfSight> {
        self.require_sight()?;
        from.require_sight()?;
        let mut with = self.clone();
        let left = LeaseId(heir.id());
        for lease in from.leases_of(party) {
            if from.leases.has_keys(lease) {
                with.rename_leases(&mut |its| if its == left { lease } else { its });
            } else {
                with.leases.take_over(lease, &from.leases);
            }
        }
        Ok(with)
    }

    /// Counts on from a revision, or from a later one where it has come so far.
    pub(super) fn raise_revision(&mut self, to: i64) {
        self.keyspace.revision = self.keyspace.revision.max(to);
    }
}
