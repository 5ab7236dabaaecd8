//! Settling: when nothing is under way any more, each request without an answer is retried once, without faults.

use std::sync::Arc;
use std::time::Duration;

use super::handler::{Panic, unpanicked};
use super::setting::{Finished, Resolution, Setting};
use crate::fault::{FaultyPort, MessageFate, Plan, Surroundings};
use crate::history::{LONG, What};
use crate::terms::{Delivery, Reply, Request, Retries, Trouble};
use crate::world::World;

/// How often a retry is made that fails for a reason that may pass, such as a deadlock, and how long is waited before the next.
const ATTEMPTS: u8 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Retries once, without faults, each request that its client was neither given an answer to nor refused for good. If the id of one that
/// was not answered came with another body too, that one is retried then: whoever took the other body first owes it.
/// Strategies that never retry are left alone.
///
/// # Errors
/// The strategy's panic.
pub(super) async fn retry_unresolved(
    setting: &Setting,
    requests: &[Request],
    finished: &[Finished],
    around: &Arc<Surroundings>,
) -> Result<(), Panic> {
    if setting.strategy.claim(setting.store_kind).retries == Retries::Never {
        return Ok(());
    }
    let mut resolved = vec![false; requests.len()];
    let mut others = Vec::new();
    for end in finished {
        resolved[end.message.0 as usize] = end.resolution != Resolution::GaveUp;
        if end.resolution != Resolution::Acknowledged && has_other_body(&around.plan, end) {
            others.push(requests[end.message.0 as usize].with_other_body());
        }
    }
    others.sort_unstable_by_key(|other| other.id);
    let mut port = FaultyPort::new(Arc::clone(around), 0, around.recorders.recorder(LONG));
    let own = requests.iter().filter(|request| !resolved[request.id.0 as usize]);
    let own = own.map(|request| (*request, Delivery::FINAL));
    let others = others.into_iter().map(|other| (other, Delivery::FINAL.of_other_body()));
    let mut open: Vec<(Request, Delivery)> = own.chain(others).collect();
    for attempt in 1..=ATTEMPTS {
        let mut troubled = Vec::new();
        for (request, delivery) in open {
            let reply = retry(setting, &mut port, &request, delivery).await?;
            // After an unknown outcome another attempt would be one more fault.
            if attempt < ATTEMPTS && matches!(reply, Err(Trouble::Failed(_) | Trouble::InProgress)) {
                troubled.push((request, delivery));
                continue;
            }
            port.note(What::Answered { reply, heard: true });
            port.note(What::Received { reply });
        }
        if troubled.is_empty() {
            return Ok(());
        }
        // Once for all of them: a strategy whose claims get stuck leaves many. What was taken for a time is free after that.
        let wait = if setting.strategy.has_timers() { setting.lease.max(PAUSE) } else { PAUSE };
        tokio::time::sleep(wait).await;
        open = troubled;
    }
    Ok(())
}

/// Whether a client used the id of a request for another body, in any of the attempts that were made.
fn has_other_body(plan: &Plan, end: &Finished) -> bool {
    let fate = |attempt| plan.delivery(end.message, Delivery { attempt, copy: 0 }).fate;
    (0..end.attempts).any(|attempt| fate(attempt) == MessageFate::OtherBody)
}

async fn retry(
    setting: &Setting,
    port: &mut FaultyPort,
    request: &Request,
    delivery: Delivery,
) -> Result<Reply, Panic> {
    port.begin(request.id, delivery);
    let _working = setting.outside.pulse.begins(0, request.id);
    let reply = unpanicked(setting.strategy.handle(&mut World::new(port), request)).await;
    port.end();
    reply
}
