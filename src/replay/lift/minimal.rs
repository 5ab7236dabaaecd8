//! The least schedule that shows what a lifted one shows.

use std::collections::BTreeMap;

use crate::explore::{Bound, ExploreError, Kinds, Limits, Watch, Why, by_cause};
use crate::strategy::Strategy;
use crate::terms::Profile;

use super::Lifted;

/// Finds the shortest schedules of a strategy, and remembers them: what is found within the usual bound does not depend on what
/// was lifted.
pub struct Shortener<'s> {
    strategy: &'s dyn Strategy,
    /// Two lanes, one retry and two faults: what `explore` goes through unless it is told otherwise.
    usual: Bound,
    limits: Limits,
    found: BTreeMap<Why, Option<Lifted>>,
}

impl<'s> Shortener<'s> {
    /// A shortener on a model of this store.
    #[must_use]
    pub fn new(strategy: &'s dyn Strategy, store: Profile, limits: Limits) -> Self {
        let usual = Bound { kinds: Kinds::all(), store, ..Bound::new(2, 1, 2) };
        Shortener { strategy, usual, limits, found: BTreeMap::new() }
    }

    /// The shortest schedule that shows a violation because of the same: as `explore` finds it within the usual bound; if it cannot
    /// be seen there, or the lifted schedule has fewer faults, within the lifted schedule's own bound. None if neither shows it.
    ///
    /// # Errors
    /// [`ExploreError`] if the strategy cannot be explored.
    pub fn shorten(
        &mut self,
        lifted: &Lifted,
        why: Why,
        watch: &mut dyn Watch,
    ) -> Result<Option<Lifted>, ExploreError> {
        let least = match self.found.get(&why) {
            Some(found) => found.clone(),
            None => {
                let found = self.search(self.usual, why, watch)?;
                self.found.insert(why, found.clone());
                found
            }
        };
        // Faults come first in a cost. Steps cannot be compared: what a lifted schedule leaves to run on, it does not count.
        if least.as_ref().is_some_and(|least| least.schedule.faults() <= lifted.schedule.faults()) {
            return Ok(least);
        }
        let own = self.search(lifted.bound, why, watch)?;
        Ok(least.into_iter().chain(own).min_by_key(|found| found.schedule.cost()))
    }

    fn search(&self, bound: Bound, why: Why, watch: &mut dyn Watch) -> Result<Option<Lifted>, ExploreError> {
        let found = by_cause(self.strategy, bound, Some(&[why]), self.limits, watch)?;
        let caused = found.found.into_iter().next();
        Ok(caused.map(|caused| Lifted { schedule: caused.schedule, bound: bound.for_strategy(self.strategy) }))
    }
}
