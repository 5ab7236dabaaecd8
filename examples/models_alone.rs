//! A strategy explored by a program of its own, without the lab's servers and its command line: of the lab, only strategies, models
//! and the explorer are built, which takes seconds.
//!
//! ```text
//! cargo run --release -p oncelab-examples --no-default-features --example models_alone
//! ```
//!
//! `answer-later` claims the message before it acts, so that it never acts twice. A delivery that finds the claim without
//! an answer tells its client to come back later. Is anybody ever stuck?

use oncelab::explore::{Bound, Exploration, ExploreError, Limits, ScheduleError, tell};
use oncelab::strategy::{Claim, Strategy, async_trait};
use oncelab::terms::{Reply, Request, Retries, StoreKind, Trouble, Violation};
use oncelab::world::World;

struct AnswerLater;

#[async_trait]
impl Strategy for AnswerLater {
    fn name(&self) -> &'static str {
        "answer-later"
    }

    fn steps(&self) -> &'static str {
        "[claim K]; if taken: [read R], or come back later; [X] [store R]"
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
        if !world.store().claim(request.id).await? {
            return world.store().read_answer(request.id).await?.ok_or(Trouble::InProgress);
        }
        let answer = world.store().apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        Ok(answer)
    }
}

/// What an exploration within a bound says of the strategy.
fn explored(bound: Bound) -> Result<Exploration, ExploreError> {
    Exploration::new(&AnswerLater, bound, Limits::default(), &mut ())
}

fn main() -> Result<(), ScheduleError> {
    for bound in [Bound::new(2, 1, 0), Bound::new(2, 1, 1)] {
        let explored = explored(bound)?;
        let broken = explored.broken_promises(&AnswerLater.claim(bound.store_kind()));
        println!("{bound}: {} schedules, {} broken promises", explored.census.schedules, broken.len());
        for minimal in explored.minimal.iter().filter(|minimal| broken.contains(&minimal.violation)) {
            println!("\n{}, by the schedule {}:", minimal.violation.name(), minimal.schedule);
            let story = tell(&AnswerLater, bound, &minimal.schedule)?;
            for line in &story.lines {
                println!("  {:3}{:12} {}", line.step.to_string(), line.did, line.learned);
            }
            for finding in &story.findings {
                println!("  {}", finding.detail);
            }
        }
    }
    Ok(())
}
