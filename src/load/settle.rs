//! Settling: when nothing is under way any more, each request without an answer is retried once, without faults.

use std::sync::Arc;

use super::trial::{Finished, Resolution, Setting};
use crate::fault::{FaultyPort, Surroundings};
use crate::history::{LONG, What};
use crate::strategy::Retries;
use crate::world::{Delivery, Request, World};

/// Retries once, without faults, each request that its client was neither given an answer to nor refused for good.
/// Strategies that never retry are left alone.
pub(super) async fn retry_unresolved(
    setting: &Setting,
    requests: &[Request],
    finished: &[Finished],
    around: &Arc<Surroundings>,
) {
    if setting.strategy.claim(setting.store_kind).retries == Retries::Never {
        return;
    }
    let mut resolved = vec![false; requests.len()];
    for end in finished.iter().filter(|end| end.resolution != Resolution::GaveUp) {
        resolved[end.message.0 as usize] = true;
    }
    let mut port = FaultyPort::new(Arc::clone(around), 0, around.recorders.recorder(LONG));
    for request in requests.iter().filter(|request| !resolved[request.id.0 as usize]) {
        port.begin(request.id, Delivery::FINAL, false);
        let reply = setting.strategy.handle(&mut World::new(&mut port), request).await;
        port.end();
        port.note(What::Answered { reply, heard: true });
        port.note(What::Received { reply });
    }
}
