//! A strategy of one's own, in one file: the lab's command line with one more strategy in its list.
//!
//! ```text
//! cargo run --release --example own_strategy -- run quick --strategies take-over
//! ```
//!
//! `take-over` looks careful. It claims the message under a unique constraint before it acts, so that two deliveries
//! cannot both act; and if it finds a claim without an answer, it concludes that its owner has died and takes over, so
//! that nothing stays stuck. Is it safe? Its claim says so, and the lab holds it to that.

use oncelab::strategy::{Claim, Registry, Strategy, async_trait};
use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
use oncelab::world::World;

struct TakeOver;

#[async_trait]
impl Strategy for TakeOver {
    fn name(&self) -> &'static str {
        "take-over"
    }

    fn steps(&self) -> &'static str {
        "[claim K]; if taken: [read R], and if there is one, answer it; [X] [store R]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once, and never stuck",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if !world.store().claim(request.id).await?
            && let Some(answer) = world.store().read_answer(request.id).await?
        {
            return Ok(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        Ok(answer)
    }
}

fn main() -> std::process::ExitCode {
    let mut registry = Registry::default();
    registry.register(TakeOver);
    oncelab::cli::main_with(&registry)
}
