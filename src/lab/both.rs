//! A strategy explored with one request, and with two where one does not show all that its claim says, or where it handles both at once.

use std::sync::Arc;

use crate::exit;
use crate::explore::{Bound, Exploration, ExploreError, Limits, Watch, unseen};
use crate::strategy::Strategy;
use crate::terms::Violation;

/// What was found out about a strategy with one request, and with two if that did not show all that its claim says, or if it handles
/// both at once.
pub struct Both {
    pub one: Exploration,
    pub two: Option<Exploration>,
}

impl Both {
    /// Both explorations, as far as there are.
    pub fn both(&self) -> impl Iterator<Item = &Exploration> {
        std::iter::once(&self.one).chain(&self.two)
    }

    /// The exit code that it calls for.
    pub fn verdict(&self, strategy: &dyn Strategy) -> u8 {
        let claim = self.one.bound.claim_of(strategy);
        let explorations: Vec<&Exploration> = self.both().collect();
        let broken = explorations.iter().any(|exploration| !exploration.broken_promises(&claim).is_empty());
        if broken {
            exit::BROKEN
        } else if explorations.iter().any(|exploration| !exploration.census.is_whole())
            || !self.one.bound.speaks_for(strategy)
        {
            exit::INCONCLUSIVE
        } else if unseen(&claim, strategy.has_timers(), &explorations).is_empty() {
            exit::MET
        } else {
            exit::BROKEN
        }
    }
}

/// Explores a strategy with one request, and with two if that does not show all that its claim says. One that handles several deliveries
/// at once is given two in a batch.
///
/// # Errors
/// [`ExploreError`] if the strategy cannot be explored.
pub fn explore_both(
    strategy: &Arc<dyn Strategy>,
    bound: Bound,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<Both, ExploreError> {
    let one = Exploration::new(strategy.as_ref(), bound, limits, watch)?;
    let claim = bound.claim_of(strategy.as_ref());
    let shown = |violation: &Violation| one.shows(*violation);
    let is_shown = claim.breaks.iter().flat_map(|b| b.shows).all(shown);
    let batch = strategy.largest_batch() > 1;
    let two = if is_shown && !batch || bound.lanes < 2 || bound.requests > 1 {
        None
    } else {
        Some(Exploration::new(strategy.as_ref(), Bound { requests: 2, batch, ..bound }, limits, watch)?)
    };
    Ok(Both { one, two })
}
