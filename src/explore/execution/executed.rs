//! What an execution leaves behind.

use super::{LEASE, MadeStep};
use crate::check::{Case, Evidence, Finding, findings};
use crate::history::Event;
use crate::terms::{Balances, ByRole, Entry, MessageId, Reply, Request, Retries, Role, Shape};

/// A schedule that has come to its end.
#[derive(Debug, Clone)]
pub struct Executed {
    pub requests: Vec<Request>,
    pub events: Vec<Event>,
    /// In the order of roles.
    pub ledger: Vec<Entry>,
    /// The balances of each store's accounts in the end; none before the end.
    pub balances: Option<ByRole<Balances>>,
    /// The roles of the stores that keep the strategy's effects.
    pub effects: &'static [Role],
    pub retries: Retries,
    pub shape: Shape,
    /// The steps, without those of the fault-free retry.
    pub made: Vec<MadeStep>,
    /// The fault-free retry of each request that had no answer.
    pub retried: Vec<(MessageId, Reply)>,
    /// What took a last turn without faults after that, in the order of those turns.
    pub turned: Vec<&'static str>,
}

impl Executed {
    /// Every violation, as `src/check` finds it.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let evidence = Evidence {
            requests: &self.requests,
            events: &self.events,
            ledger: &self.ledger,
            balances: self.balances.as_ref(),
            effects: self.effects,
            disturbed: &[],
            retries: self.retries,
            shape: self.shape,
            lease: LEASE,
        };
        findings(&Case::new(evidence))
    }
}
