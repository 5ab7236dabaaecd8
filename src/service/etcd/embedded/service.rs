//! The model behind a mutex, with a clock and the calls that wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::service::etcd::model::{Held, LockService, Locking, Refusal, Ticket};
use crate::terms::LeaseId;

/// The lock service as calls reach it, concurrently and in real time.
pub(super) struct EmbeddedService {
    state: Mutex<ServerState>,
    started: Instant,
    clock_speed: f64,
    expiry_moved: Notify,
}

struct ServerState {
    model: LockService,
    waiting: BTreeMap<Ticket, oneshot::Sender<Result<Held, Refusal>>>,
    last_ticket: u64,
    /// When the task that ends leases will wake up by itself.
    wakes_at_ms: Option<u64>,
}

impl EmbeddedService {
    pub(super) fn new(model: LockService, clock_speed: f64) -> Self {
        let state = ServerState { model, waiting: BTreeMap::new(), last_ticket: 0, wakes_at_ms: None };
        EmbeddedService { state: Mutex::new(state), started: Instant::now(), clock_speed, expiry_moved: Notify::new() }
    }

    /// Puts a call to the model, after the time that has passed, and wakes whoever can go on because of it.
    pub(super) fn call<T>(&self, call: impl FnOnce(&mut LockService) -> T) -> T {
        self.with(|state| call(&mut state.model))
    }

    /// Waits until the lock is held. Dropped before, it leaves the queue.
    pub(super) async fn lock(&self, name: &[u8], lease: Option<LeaseId>) -> Result<Held, Refusal> {
        let locking = self.with(|state| {
            state.last_ticket += 1;
            let ticket = Ticket(state.last_ticket);
            match state.model.lock(name, lease, ticket)? {
                Locking::Held(held) => Ok(Ok(held)),
                Locking::Waiting => {
                    let (settled, answer) = oneshot::channel();
                    state.waiting.insert(ticket, settled);
                    Ok(Err(PromisePlace { service: self, ticket, answer }))
                }
            }
        });
        match locking? {
            Ok(held) => Ok(held),
            // The sender is dropped unused only together with this service, and then nobody is left to read the answer.
            Err(mut place) => (&mut place.answer).await.unwrap_or(Err(Refusal::SessionExpired)),
        }
    }

    /// Lets the time that has passed take effect.
    pub(super) fn tick(&self) {
        self.call(|_| ());
    }

    /// When the next lease expires; from then on that moment counts as known to the caller.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let wakes_at_ms = self.with(|state| {
            state.wakes_at_ms = state.model.next_expiry();
            state.wakes_at_ms
        })?;
        // A microsecond late rather than early, so that the sleeper need not lie down again.
        #[expect(clippy::cast_precision_loss, reason = "a time to sleep, far below 2^53 ms")]
        let sleep = Duration::try_from_secs_f64(wakes_at_ms as f64 / 1000.0 / self.clock_speed).ok()?;
        self.started.checked_add(sleep + Duration::from_micros(1))
    }

    /// Returns when a lease will expire before the moment that [`next_wake`](Self::next_wake) told last.
    pub(super) async fn woken_earlier(&self) {
        self.expiry_moved.notified().await;
    }

    /// The only way to the state: the clock is set before, and whose turn has come is told after.
    fn with<T>(&self, change: impl FnOnce(&mut ServerState) -> T) -> T {
        // The model has no half-done states to fear: a panic in it is a bug that has been reported by then.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.started.elapsed().as_secs_f64() * 1000.0 * self.clock_speed;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds, never negative")]
        state.model.advance(now_ms as u64);
        let result = change(&mut state);
        for (ticket, answer) in state.model.take_settled() {
            if let Some(waiting) = state.waiting.remove(&ticket) {
                // Nobody listens if the call was cancelled just now: then it is an answer that was lost on the way.
                let _ = waiting.send(answer);
            }
        }
        let earlier = state.model.next_expiry().is_some_and(|next| state.wakes_at_ms.is_none_or(|known| next < known));
        drop(state);
        if earlier {
            self.expiry_moved.notify_one();
        }
        result
    }
}

/// A place in the queue of a lock. Dropped, it is given up; if the turn has come by then, that changes nothing.
struct PromisePlace<'s> {
    service: &'s EmbeddedService,
    ticket: Ticket,
    answer: oneshot::Receiver<Result<Held, Refusal>>,
}

impl Drop for PromisePlace<'_> {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            self.service.with(|state| {
                state.model.cancel(self.ticket);
                state.waiting.remove(&self.ticket);
            });
        }
    }
}
