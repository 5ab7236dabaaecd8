//! The strategies: algorithms that turn deliveries into effects. One file each, and nothing else in it.
//!
//! Invariant: no strategy knows which driver runs it, and no driver names a strategy.

mod act_then_mark;
mod act_then_mark_peer;
mod act_then_mark_two_stores;
mod actor;
mod advisory_lock;
mod advisory_lock_repeatable_read;
mod at_least_once;
mod at_most_once;
mod check_then_act;
mod check_then_act_repeatable_read;
mod check_then_act_serializable;
mod check_then_act_transaction;
mod claim;
mod claim_lease;
mod claim_lease_two_stores;
mod claim_then_act;
mod claim_then_act_peer;
mod claim_then_act_two_stores;
mod clock_jump;
mod conditional_put;
mod dedup_table;
mod dedup_table_batched;
mod dedup_table_partitioned;
mod dedup_table_repeatable_read;
mod dedup_table_statement;
mod dedup_window;
mod delete_matching;
mod etcd_lock;
mod etcd_lock_fenced;
mod etcd_lock_fenced_marker;
mod etcd_lock_fenced_transaction;
mod etcd_lock_kept_alive;
mod etcd_lock_lease_id;
mod etcd_lock_marker;
mod etcd_lock_overwrite;
mod etcd_lock_twice;
mod etcd_transaction;
mod failover;
mod hazards;
mod high_water_mark;
mod hop;
mod idempotency_key;
mod idempotency_key_peer;
mod idempotency_key_two_stores;
mod kafka_at_least_once;
mod kafka_group;
mod kafka_idempotent;
mod kafka_inbox;
mod kafka_offset_after_effect;
mod kafka_offset_before_effect;
mod kafka_offset_in_store;
mod kafka_transactions;
mod kafka_transactions_outside;
mod kafka_transactions_outside_v1;
mod kafka_transactions_v1;
mod name;
mod need;
mod outbox_inbox;
mod post;
mod put;
mod redis_claim;
mod redis_fenced;
mod redis_fenced_two_step;
mod redis_lock;
mod redis_lock_no_compare;
mod redis_lock_replica;
mod redis_lock_two_step_release;
mod redis_lock_wait;
mod redis_mark;
mod redis_script;
mod redis_window;
mod redlock;
mod redlock_fast_clock;
mod registry;
mod resident;
mod restart;
mod row_lock;
mod sequence_number;
mod session_advisory_lock;
mod transfer_peer;
mod transfer_two_stores;
mod transfer_two_stores_keyed;

pub use actor::Actor;
pub use claim::{BETWEEN_EFFECT_AND_MARK, Break, Claim, GIVING_UP, REDELIVERY};
use clock_jump::ClockJump;
use failover::Failover;
pub use hazards::{Hazards, claim_of};
pub use hop::WithHop;
pub use name::{LONGEST_NAME, name_fault};
pub use need::{Need, SECOND_STORE};
pub(crate) use need::{by_role, servers_of};
pub use registry::{Registry, UnknownStrategy};
pub use resident::{REAPED, Reaped, Resident, Turn, residents_of};
use restart::Restart;

/// What a strategy's `impl` is marked with, so that its `handle` can be an `async fn`.
pub use async_trait::async_trait;

use crate::terms::{Answer, HttpForm, Reply, Request, Role, Shape, StoreKind, Trouble};
use crate::world::{ServiceKind, World};

/// An algorithm that turns deliveries of a request into its effect.
///
/// A handler calls [`handle`](Strategy::handle) once per delivery and tells the client what it returns. Deliveries of
/// the same request may be handled one after the other or at once, by the same handler or by several, and any of them
/// may be dropped in the middle: the client then retries as far as [`Claim::retries`] lets it.
///
/// A strategy that acts on every delivery, and so breaks as soon as there are two:
/// ```
/// use oncelab::explore::{Bound, Exploration, Limits};
/// use oncelab::strategy::{Claim, Strategy, async_trait};
/// use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
/// use oncelab::world::World;
///
/// struct JustAct;
///
/// #[async_trait]
/// impl Strategy for JustAct {
///     fn name(&self) -> &'static str {
///         "just-act"
///     }
///
///     fn steps(&self) -> &'static str {
///         "[X]"
///     }
///
///     fn claim(&self, _: StoreKind) -> Claim {
///         Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
///     }
///
///     async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
///         world.store().apply(request).await
///     }
/// }
///
/// let explored = |lanes| Exploration::new(&JustAct, Bound::new(lanes, 0, 0), Limits::default(), &mut ());
/// assert!(!explored(1)?.shows(Violation::Duplicate));
/// assert!(explored(2)?.shows(Violation::Duplicate));
/// # Ok::<(), oncelab::explore::ExploreError>(())
/// ```
#[async_trait::async_trait]
pub trait Strategy: Send + Sync {
    /// The name in experiments, tables and commands, e.g. `dedup-table`: letters, digits, `-` and `_`, as [`name_fault`] has it.
    fn name(&self) -> &'static str;

    /// The steps in one line, in the notation of METHODOLOGY.md.
    fn steps(&self) -> &'static str;

    /// What this strategy promises on this kind of store, and under which faults it does not.
    fn claim(&self, store: StoreKind) -> Claim;

    /// The services that it needs, and in which roles. It can ask no others.
    fn needs(&self) -> &[Need] {
        &[Need::STORE]
    }

    /// The roles of the stores that it keeps its effects in: it is judged at each of them, and a request is done when each holds its
    /// effect. A store of marks or claims alone is not among them.
    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE]
    }

    /// What works beside each of its deliveries.
    fn actors(&self) -> &'static [&'static dyn Actor] {
        &[]
    }

    /// What works for the whole system, and begins with it.
    fn residents(&self) -> &'static [&'static dyn Resident] {
        &[]
    }

    /// What forgets what it keeps where that is asked for (`--reaper`), with what it still promises then: the ids, or the keys of a
    /// Redis that crashes or fails over. Nothing where it keeps nothing that could be forgotten.
    fn reaper(&self) -> Option<Reaped> {
        None
    }

    /// The shape of its effects.
    fn shape(&self) -> Shape {
        Shape::Account
    }

    /// The form that a request to it has over HTTP, where clients reach its handlers that way.
    fn http_form(&self, _request: &Request) -> HttpForm {
        match self.shape() {
            Shape::Account | Shape::Entry => HttpForm::PostWithKey,
            Shape::Register => HttpForm::Put,
        }
    }

    /// Whether it can run on this kind of store. It cannot where it asks for what the store has not, e.g. locks of rows: there its
    /// row is left out, and the report says why.
    fn runs_on(&self, _store: StoreKind) -> bool {
        true
    }

    /// Whether it needs a lock service.
    fn needs_lock_service(&self) -> bool {
        self.needs().iter().any(|need| need.role == Role::LOCK)
    }

    /// The option that names its broker in a command, if it needs one: the lab starts none that is not named.
    fn broker_option(&self) -> &'static str {
        let needs_broker = self.needs().iter().any(|need| need.service == ServiceKind::Kafka);
        if needs_broker { " --use broker=kafka" } else { "" }
    }

    /// Whether it needs a store besides the first, or a peer, which is one.
    fn needs_another_store(&self) -> bool {
        let is_another = |need: &Need| need.service == ServiceKind::Store && need.role != Role::STORE;
        self.needs().iter().any(|need| is_another(need) || need.service == ServiceKind::Peer)
    }

    /// Whether anything of it ends by itself after a time: the lease of a lock, or an id that was taken for a time.
    fn has_timers(&self) -> bool {
        self.needs_lock_service()
    }

    /// Whether a transaction of it looks at a snapshot that is taken by a statement which may have to wait: at REPEATABLE READ or
    /// SERIALIZABLE, the first statement of the transaction, if it takes a lock or writes. A server takes the snapshot before the
    /// wait; so an exploration goes through schedules in which the statement begins, and ends later (`a&`).
    fn waits_with_snapshot(&self) -> bool {
        false
    }

    /// Whether it takes any body for the one that an id came with first, or does both. It does not if it compares the bodies, or lets in
    /// one alone.
    fn mixes_bodies(&self) -> bool {
        true
    }

    /// Whether it runs only where an experiment or a command names it: most strategies do, so that an experiment which names none
    /// stays short.
    fn belongs_to_a_scenario(&self) -> bool {
        false
    }

    /// Handles one delivery of a request.
    ///
    /// # Errors
    /// What the client is told instead of an answer. `?` on an operation passes its trouble on, which is almost always
    /// right: the client retries. A transaction that is left open ends with its connection, as if it had been rolled back.
    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply;

    /// The most deliveries that a handler may take from those that wait for it, and have handled at once by
    /// [`handle_batch`](Strategy::handle_batch). With 1 there are no batches.
    fn largest_batch(&self) -> usize {
        1
    }

    /// Handles several deliveries at once: what the client of each is told, in their order. No two of them are of the same request.
    /// An exploration goes through batches of one, as [`handle`](Strategy::handle) does, or of two where its bound has a batch.
    async fn handle_batch(&self, world: &mut World<'_>, requests: &[Request]) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            replies.push(self.handle(world, request).await);
        }
        replies
    }
}

/// The answer to a request whose entry is in a store: it has changed no account.
const RECORDED: Answer = Answer(0);

/// The answer that must be there because an earlier delivery committed it together with its claim.
///
/// # Errors
/// [`Trouble::InProgress`] if it is not: somebody claimed the message and has not finished.
fn finished(answer: Option<Answer>) -> Result<Answer, Trouble> {
    answer.ok_or(Trouble::InProgress)
}
