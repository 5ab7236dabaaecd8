//! Settling: when nothing is under way any more, each request without an answer is retried once, without faults.

use std::sync::Arc;
use std::time::Duration;

use super::handler::{Panic, unpanicked};
use super::setting::{Finished, Resolution, Setting};
use crate::fault::{FaultyPort, Surroundings};
use crate::history::{LONG, What};
use crate::terms::{Delivery, Reply, Request, Retries, Trouble};
use crate::world::World;

/// How often a retry is made that fails for a reason that may pass, such as a deadlock, and how long is waited before the next.
const ATTEMPTS: u8 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Retries once, without faults, each request that its client was neither given an answer to nor refused for good.
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
    for end in finished.iter().filter(|end| end.resolution != Resolution::GaveUp) {
        resolved[end.message.0 as usize] = true;
    }
    let mut port = FaultyPort::new(Arc::clone(around), 0, around.recorders.recorder(LONG));
    let mut open: Vec<&Request> = requests.iter().filter(|request| !resolved[request.id.0 as usize]).collect();
    for attempt in 1..=ATTEMPTS {
        let mut troubled = Vec::new();
        for request in open {
            let reply = retry(setting, &mut port, request).await?;
            // After an unknown outcome another attempt would be one more fault.
            if attempt < ATTEMPTS && matches!(reply, Err(Trouble::Failed(_) | Trouble::InProgress)) {
                troubled.push(request);
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

async fn retry(setting: &Setting, port: &mut FaultyPort, request: &Request) -> Result<Reply, Panic> {
    port.begin(request.id, Delivery::FINAL);
    let _working = setting.outside.pulse.begins(0, request.id);
    let reply = unpanicked(setting.strategy.handle(&mut World::new(port), request)).await;
    port.end();
    reply
}
