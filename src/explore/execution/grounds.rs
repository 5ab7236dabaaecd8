//! What an execution asks of its environment besides its steps.

use super::super::environment::Environment;
use super::super::model_environment::ModelEnvironment;
use crate::service::modelled::Model;
use crate::terms::{Balances, ByRole, Entry, by_store};

/// What an execution asks of the backends beside its steps.
pub(crate) trait Grounds: Environment {
    /// Whether it knows SQL, and not only the operations of the model.
    const IS_REAL: bool;
    /// Makes them as they were before anything happened.
    fn begin_again(&mut self);
    /// How often a lease has expired under its holder.
    fn expired(&self) -> u64;
    /// How often somebody has waited for leases to expire that nobody kept alive any more.
    fn waits(&self) -> u64;
    /// The effects that were committed, in the order of roles and of each ledger, for the last time.
    fn take_ledger(&mut self) -> Vec<Entry>;
    /// The balances of the accounts that there are at each service.
    fn balances(&mut self) -> ByRole<Balances>;
}

impl Grounds for ModelEnvironment {
    const IS_REAL: bool = false;

    fn begin_again(&mut self) {
        self.begin_again();
    }

    fn expired(&self) -> u64 {
        self.expired
    }

    fn waits(&self) -> u64 {
        self.waits
    }

    fn take_ledger(&mut self) -> Vec<Entry> {
        by_store(std::mem::take(&mut self.ledger))
    }

    fn balances(&mut self) -> ByRole<Balances> {
        ByRole::new(|role| self.model(role).map_or_else(Balances::default, Model::balances))
    }
}
