//! The services' state, kept as it is.

use crate::service::AnyModel;
use crate::service::modelled::{Asker, Holder, Model, ModelSettings, Timer, Waits};
use crate::strategy::Need;
use crate::terms::{ByRole, Entry, Role, Session};
use crate::world::{Op, Outcome};

use super::Flaws;
use super::bound::Bound;
use super::environment::{Environment, Flight};

/// The accounts that there can be: the one of all requests, and others that a strategy may change by mistake.
pub(crate) const ACCOUNTS: u8 = 4;

/// The models of the services that a strategy needs, before anything happened.
pub(super) fn models(bound: &Bound, flaws: Flaws, needs: &[Need]) -> ByRole<Option<AnyModel>> {
    let settings = ModelSettings {
        profile: bound.store,
        accounts: (1, ACCOUNTS),
        store_flaw: flaws.store,
        lock_flaw: flaws.lock,
        redis_flaw: flaws.redis,
        kafka_flaw: flaws.kafka,
    };
    ByRole::new(|role| needs.iter().find(|need| need.role == role).map(|need| need.service.model(&settings)))
}

/// The services, the ledger, and what is in flight.
#[derive(Clone)]
pub(crate) struct ModelEnvironment {
    flaws: Flaws,
    models: ByRole<Option<AnyModel>>,
    /// The effects at every store, in the order in which they were committed.
    pub ledger: Vec<Entry>,
    pub flights: Vec<Flight>,
    /// How often a timer has run out under its holder.
    pub expired: u64,
    /// How often somebody has waited for timers to run out that nobody kept running any more.
    pub waits: u64,
}

impl ModelEnvironment {
    /// Services in which nothing has happened yet, with the mistakes that the models are to have.
    pub fn new(bound: Bound, flaws: Flaws, needs: &[Need]) -> Self {
        ModelEnvironment {
            flaws,
            models: models(&bound, flaws, needs),
            ledger: Vec::new(),
            flights: Vec::new(),
            expired: 0,
            waits: 0,
        }
    }

    /// The same services before anything happened.
    pub fn begin_again(&mut self) {
        self.models.0.iter_mut().flatten().for_each(Model::begin_again);
        self.ledger.clear();
        self.flights.clear();
        self.expired = 0;
        self.waits = 0;
    }

    /// The state of the service in a role.
    pub fn model(&self, role: Role) -> Option<&AnyModel> {
        self.models[role].as_ref()
    }

    #[inline]
    fn of(&mut self, role: Role) -> &mut AnyModel {
        self.models[role].as_mut().expect(ASKED)
    }
}

/// Why there is a service in a role.
pub(super) const ASKED: &str = "an attempt asks only the services that its strategy needs";

impl Environment for ModelEnvironment {
    #[inline(always)]
    fn call(&mut self, on: Session, op: &Op, by: Asker) -> Result<Outcome, Waits> {
        let ModelEnvironment { models, ledger, .. } = self;
        models[op.role].as_mut().expect(ASKED).call(on, &op.of, &by, ledger)
    }

    fn timers_ahead(&mut self, op: Op) -> Vec<Timer> {
        self.of(op.role).timers_ahead(op.of)
    }

    fn cut(&mut self, role: Role, on: Session) {
        self.of(role).cut(on);
    }

    fn move_session(&mut self, role: Role, from: Session, to: Session) {
        self.of(role).rename(&|session| if session == from { to } else { session }, &mut |_, id| id);
    }

    fn victim(&mut self, role: Role, on: Session) -> Outcome {
        self.of(role).victim(on)
    }

    fn timer(&mut self, of: Holder) -> Option<(Role, Timer)> {
        let running = self.models.iter().filter_map(|(role, model)| Some((role, model.as_ref()?.timer(of)?)));
        running.max_by_key(|(_, timer)| *timer)
    }

    fn fire(&mut self, role: Role, timer: Timer) {
        if !self.flaws.no_expiry {
            self.of(role).fire(timer);
        }
    }

    fn settle(&mut self) {
        if !self.flaws.no_expiry {
            self.models.0.iter_mut().flatten().for_each(Model::settle);
        }
    }

    fn queue(&mut self, on: Session, op: Op, by: Asker) -> bool {
        self.of(op.role).queue(on, op.of, &by)
    }

    fn take_turn(&mut self, on: Session, op: Op) -> Result<Outcome, Waits> {
        self.of(op.role).take_turn(on)
    }

    fn forgets_landings(&self) -> bool {
        self.flaws.no_landing
    }

    fn flights(&self) -> &[Flight] {
        &self.flights
    }

    fn add_flight(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    fn remove_flight(&mut self, at: usize) {
        self.flights.remove(at);
    }

    fn time_passes(&mut self, waiting: bool) {
        self.waits += u64::from(waiting);
        self.expired += u64::from(!waiting);
    }

    // The history tells.
    fn overlap(&mut self, _: u8) {}
}
