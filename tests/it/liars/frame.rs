//! What liars are made of: a macro for a liar with its twin, and the honest frame that most of them lie in.

use oncelab::terms::{Answer, Isolation, Reply, Request, Trouble};
use oncelab::world::World;

/// A liar and its honest twin, by what both do with one delivery. The switch is true in the liar. A client retries until it is
/// acknowledged, unless it is said that it sends once.
macro_rules! liar {
    ($(#[$doc:meta])* $type:ident, $name:literal, |$world:ident, $request:ident, $lies:ident| $handle:block) => {
        liar!($(#[$doc])* $type, $name, sends_once(_lies) = false, |$world, $request, $lies| $handle);
    };
    ($(#[$doc:meta])* $type:ident, $name:literal, sends_once($once:ident) = $sends_once:expr,
     |$world:ident, $request:ident, $lies:ident| $handle:block) => {
        $(#[$doc])*
        struct $type {
            lies: bool,
        }

        #[oncelab::strategy::async_trait]
        impl oncelab::strategy::Strategy for $type {
            fn name(&self) -> &'static str {
                if self.lies { $name } else { concat!($name, "-honestly") }
            }

            fn steps(&self) -> &'static str {
                "made for a test"
            }

            fn claim(&self, _: oncelab::terms::StoreKind) -> oncelab::strategy::Claim {
                let $once = self.lies;
                $crate::liars::frame::claim($sends_once)
            }

            async fn handle(
                &self,
                $world: &mut oncelab::world::World<'_>,
                $request: &oncelab::terms::Request,
            ) -> oncelab::terms::Reply {
                let $lies = self.lies;
                $handle
            }
        }
    };
}
pub(super) use liar;

/// What every liar claims: exactly once. One that sends once may be given up.
pub(super) fn claim(sends_once: bool) -> oncelab::strategy::Claim {
    use oncelab::strategy::Claim;
    use oncelab::terms::{Retries, Violation};
    Claim {
        promise: "exactly once",
        retries: if sends_once { Retries::Never } else { Retries::UntilAcknowledged },
        rules_out: &[],
        tolerates: if sends_once { &[Violation::Abandoned] } else { &[] },
        breaks: &[],
    }
}

/// `T{claim K`: the answer of an earlier delivery, if there was one; otherwise the transaction stays open.
pub(super) async fn opened(world: &mut World<'_>, request: &Request) -> Result<Option<Answer>, Trouble> {
    world.store().begin(Isolation::ReadCommitted).await?;
    if world.store().claim(request.id).await? {
        return Ok(None);
    }
    let answer = world.store().read_answer(request.id).await?;
    world.store().rollback().await?;
    answer.map(Some).ok_or(Trouble::InProgress)
}

/// `store R}`: the answer, which stays with the claim and the effect.
pub(super) async fn closed(world: &mut World<'_>, request: &Request, answer: Answer) -> Reply {
    world.store().store_answer(request.id, answer).await?;
    world.store().commit().await?;
    Ok(answer)
}
