//! A server that comes back from a crash without what it kept, as an actor of the system.

use super::resident::{Resident, Turn};
use crate::service::redis::Master;
use crate::terms::{Request, Trouble};
use crate::world::World;

/// A master of Redis that keeps nothing on the disk crashes and comes back: its keys are gone, and with them the locks that others hold.
pub(super) struct Restart(pub Master);

#[async_trait::async_trait]
impl Resident for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    async fn turn(&self, world: &mut World<'_>, _: &Request) -> Result<Turn, Trouble> {
        world.cache().forget_keys(self.0).await?;
        Ok(Turn::Done)
    }
}
