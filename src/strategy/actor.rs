//! Actors: what a strategy has done beside its deliveries.

use crate::terms::{LeaseId, Trouble};
use crate::world::World;

/// Something that works beside a delivery, without a client: it begins when the delivery is given a lease, and goes when the
/// delivery ends. In an exploration it is a lane of its own, right behind the lane of its delivery.
///
/// An actor shares nothing with its delivery: what it learns, it can only act upon through the services.
#[async_trait::async_trait]
pub trait Actor: Send + Sync {
    /// The name in stories and diagrams, e.g. `keeper`.
    fn name(&self) -> &'static str;

    /// One round of its work for a lease. Under load the rounds follow each other three times in the life of a lease; in an exploration
    /// there is one round.
    ///
    /// # Errors
    /// Why it could not do its work. A round that fails for certain is the last one, unless the service was out of reach.
    async fn work(&self, world: &mut World<'_>, lease: LeaseId) -> Result<(), Trouble>;
}

/// Keeps a lease alive for as long as its delivery is at work, and tells nobody when it is gone.
pub(super) struct LeaseKeeper;

#[async_trait::async_trait]
impl Actor for LeaseKeeper {
    fn name(&self) -> &'static str {
        "keeper"
    }

    async fn work(&self, world: &mut World<'_>, lease: LeaseId) -> Result<(), Trouble> {
        world.lock().keep_alive(lease).await
    }
}
