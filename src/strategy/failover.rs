//! A master that fails over to its replica, as an actor of the system.

use super::resident::{Resident, Turn};
use crate::terms::{Request, Trouble};
use crate::world::World;

/// The link from a master of Redis to its replica breaks, and the replica is promoted some time later: what was written in between is
/// gone, and with it the locks that others hold.
pub(super) struct Failover;

#[async_trait::async_trait]
impl Resident for Failover {
    fn name(&self) -> &'static str {
        "failover"
    }

    async fn turn(&self, world: &mut World<'_>, _: &Request) -> Result<Turn, Trouble> {
        world.cache().cut_link().await?;
        world.cache().promote().await?;
        Ok(Turn::Done)
    }
}
