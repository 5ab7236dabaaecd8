//! redlock-fast-clock: redlock where the clock of one of the masters may jump ahead, so that its key runs out early.

use super::redlock::{CLAIM, act_with_a_majority};
use super::{Claim, ClockJump, Need, Reaped, Strategy};
use crate::service::redis::Master;
use crate::terms::{Reply, Request, StoreKind};
use crate::world::World;

pub(super) struct RedlockFastClock;

#[async_trait::async_trait]
impl Strategy for RedlockFastClock {
    fn name(&self) -> &'static str {
        "redlock-fast-clock"
    }

    fn steps(&self) -> &'static str {
        "redlock, and a clock that may jump"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::MASTERS]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    /// The second master's.
    fn reaper(&self) -> Option<Reaped> {
        const { Some(Reaped { reaper: &ClockJump(Master(1)), claim: CLAIM }) }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        act_with_a_majority(world, request).await
    }
}
