//! The environment in which steps are made: what a step asks of the services, be they models or servers.

use crate::service::modelled::{Asker, Holder, Timer, Waits};
use crate::terms::{Role, Session};
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

/// Where the state of the services is kept: in models, or in servers.
///
/// A step calls at most one operation. A connection is named by its [`Session`]: a lane's, or that of a request in flight, whose
/// operation lands over it.
pub(crate) trait Environment {
    /// Carries out an operation. Waiting changes nothing.
    fn call(&mut self, on: Session, op: &Op, by: Asker) -> Result<Outcome, Waits>;
    /// The timers that the operation called last has to wait for.
    fn timers_ahead(&mut self, op: Op) -> Vec<Timer>;
    /// Cuts a connection to the service in a role.
    fn cut(&mut self, role: Role, on: Session);
    /// Moves a connection with its transaction.
    fn move_session(&mut self, role: Role, from: Session, to: Session);
    /// A handler takes over a request that has landed, with its connection.
    fn take_over(&mut self, _role: Role, _from: Session, _to: Session) {}
    /// Nothing else can move: the wait of this operation ends all the same, and it comes to this.
    fn victim(&mut self, role: Role, on: Session) -> Outcome;
    /// The newest timer that somebody has running, and the role of its service.
    fn timer(&mut self, of: Holder) -> Option<(Role, Timer)>;
    /// A timer runs out.
    fn fire(&mut self, role: Role, timer: Timer);
    /// Everything has settled, and every timer has run out that nobody waits for.
    fn settle(&mut self);
    /// Begins an operation that has to wait for what others hold; false, and nothing has changed, if it does not begin before its wait.
    fn queue(&mut self, _on: Session, _op: Op, _by: Asker) -> bool {
        false
    }
    /// What a request that is queued has come to.
    fn take_turn(&mut self, _on: Session, _op: Op) -> Result<Outcome, Waits> {
        Err(Waits::ForTimers)
    }
    /// The request for this operation is lost, and its connection with it.
    fn lose_request(&mut self, _on: Session, _op: Op, _by: Asker) {}
    /// The reply to the operation that comes next will be lost, and its connection with it.
    fn lose_next_reply(&mut self) {}
    /// Whether requests that land late change nothing, by mistake.
    fn forgets_landings(&self) -> bool {
        false
    }
    /// A handler is gone, and its connections with it.
    fn crash(&mut self, _lane: u8) {}
    fn flights(&self) -> &[Flight];
    fn add_flight(&mut self, flight: Flight);
    fn remove_flight(&mut self, at: usize);
    /// As much time passes as a timer runs: because the schedule says so, or because somebody waits for timers that nobody keeps from
    /// running out any more.
    fn time_passes(&mut self, _waiting: bool) {}
    /// A lane entered the critical section of its account while another was inside.
    fn overlap(&mut self, lane: u8);
}
