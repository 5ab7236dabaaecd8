//! A server whose clock jumps ahead, as an actor of the system.

use super::resident::{Resident, Turn};
use crate::service::redis::Master;
use crate::terms::{Request, Trouble};
use crate::world::World;

/// The clock of a master of Redis is set to a later time: what lives for a time there has run out, before its holders think so.
pub(super) struct ClockJump(pub Master);

#[async_trait::async_trait]
impl Resident for ClockJump {
    fn name(&self) -> &'static str {
        "clock"
    }

    async fn turn(&self, world: &mut World<'_>, _: &Request) -> Result<Turn, Trouble> {
        world.cache().jump_ahead(self.0).await?;
        Ok(Turn::Done)
    }
}
