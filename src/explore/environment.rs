//! The environment in which steps are made: what a step asks of the backends, be they a model or servers.

use crate::service::store::model::Waits;
use crate::terms::{LeaseId, LockKey, Session, Token};
use crate::world::{Op, Outcome};

/// A request that a handler has stopped waiting for, and that will land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub lane: u8,
    pub attempt: u8,
    pub op: Op,
    /// The connection that it is held on, with the transaction that it belongs to.
    pub session: Session,
}

/// How the lock service answers to `Acquire`.
pub(crate) enum Acquired {
    Held(Token),
    /// The lease is gone.
    Expired,
    /// These leases hold the lock, or were there before.
    Behind(Vec<LeaseId>),
    /// Nobody heard what came of it.
    Unheard,
}

/// Where the state of the backends is kept: in a model, or in servers.
///
/// A step calls at most one of the operations. A connection is named by its [`Session`]: a lane's, or that of a request in
/// flight, whose operation lands over it.
pub(crate) trait Environment {
    /// Carries out an operation on the store. Waiting changes nothing.
    fn store(&mut self, session: Session, op: Op, by: (u8, u8)) -> Result<Outcome, Waits>;
    /// Cuts a connection to the store.
    fn cut(&mut self, session: Session);
    /// Moves a connection with its transaction.
    fn move_session(&mut self, from: Session, to: Session);
    /// Makes the transaction of a connection the victim of a deadlock.
    fn deadlock(&mut self, session: Session);
    /// Grants a lease under this id.
    fn grant(&mut self, via: Session, lease: LeaseId);
    /// Takes the lock, if nobody is in the way.
    fn acquire(&mut self, via: Session, key: LockKey) -> Acquired;
    fn release(&mut self, via: Session, key: LockKey) -> Outcome;
    /// Queues for the lock; false, and nothing has changed, if it would not have to wait.
    fn queue(&mut self, _via: Session, _key: LockKey) -> bool {
        false
    }
    /// What a request for a lock that is queued has come to; [`Acquired::Behind`] if it still waits.
    fn take_turn(&mut self, _via: Session, _key: LockKey) -> Acquired {
        Acquired::Behind(Vec::new())
    }
    /// Ends a lease because its holder asks for it.
    fn revoke(&mut self, via: Session, lease: LeaseId) -> Outcome;
    /// Ends a lease because its time has come.
    fn expire(&mut self, lease: LeaseId);
    fn is_alive(&mut self, lease: LeaseId) -> bool;
    /// The request for this operation is lost, and its connection with it.
    fn lose_request(&mut self, _via: Session, _op: Op, _by: (u8, u8)) {}
    /// The reply to the operation that comes next will be lost, and its connection with it.
    fn lose_next_reply(&mut self, _via: Session) {}
    /// Whether requests that land late change nothing, by mistake.
    fn forgets_landings(&self) -> bool {
        false
    }
    /// A handler is gone, and its connections with it.
    fn crash(&mut self, _lane: u8) {}
    fn flights(&self) -> &[Flight];
    fn add_flight(&mut self, flight: Flight);
    fn remove_flight(&mut self, at: usize);
    /// As much time passes as a lease lives: because the schedule says so, or because somebody waits for leases that nobody
    /// keeps alive any more.
    fn time_passes(&mut self, _waiting: bool) {}
    /// A lane entered the critical section of its account while another was inside.
    fn overlap(&mut self, lane: u8);
}
