//! A model of one of the services, and a lane's past with one of them.

use super::any_op::{AnyOp, Outcome, Response, ServiceKind};
use super::ids::Ids;
use super::list::for_each_service;
use super::modelled::{Asker, Called, Heir, Holder, Model, ModelSettings, Modelled, OutOfSight, Party, Past, Timer};
use super::touched::Touched;
use crate::terms::{Balances, Entry, Profile, Session};

macro_rules! any_model {
    ($($(#[$at:meta])* $name:ident, $folder:ident::$service:ident, $client:ident() as $role:expr;)*) => {
        /// The state of one of the services.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum AnyModel { $($(#[$at])* $name(<super::$folder::$service as Modelled>::Model)),* }

        /// What a lane has done with a service.
        #[derive(Debug, Clone, Copy)]
        pub enum AnyPast { $($(#[$at])* $name(<super::$folder::$service as Modelled>::Past)),* }

        impl ServiceKind {
            /// The service before anything happened.
            #[must_use]
            pub fn model(self, settings: &ModelSettings) -> AnyModel {
                match self {
                    $($(#[$at])* ServiceKind::$name => AnyModel::$name(<super::$folder::$service as Modelled>::model(settings))),*
                }
            }

            /// What a lane has done with it that has done nothing.
            #[must_use]
            pub fn past(self) -> AnyPast {
                match self { $($(#[$at])* ServiceKind::$name => AnyPast::$name(Default::default())),* }
            }
        }

        impl Model for AnyModel {
            type Op = AnyOp;
            type Response = Response;

            #[inline(always)]
            fn call(&mut self, on: Session, op: &AnyOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<Response> {
                match (self, op) {
                    $($(#[$at])* (AnyModel::$name(model), AnyOp::$name(op)) => {
                        Ok(model.call(on, op, by, ledger)?.map(Response::$name))
                    })*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(*op),
                }
            }

            fn begin_again(&mut self) { match self { $($(#[$at])* AnyModel::$name(model) => model.begin_again()),* } }

            fn cut(&mut self, on: Session) { match self { $($(#[$at])* AnyModel::$name(model) => model.cut(on)),* } }

            fn victim(&mut self, on: Session) -> Outcome {
                match self { $($(#[$at])* AnyModel::$name(model) => model.victim(on).map(Response::$name)),* }
            }

            fn has_names(&self) -> bool { match self { $($(#[$at])* AnyModel::$name(model) => model.has_names()),* } }

            fn rename(&mut self, sessions: &dyn Fn(Session) -> Session, ids: &mut impl Ids) {
                match self { $($(#[$at])* AnyModel::$name(model) => model.rename(sessions, ids)),* }
            }

            fn without_ranks(self) -> Self {
                match self { $($(#[$at])* AnyModel::$name(model) => AnyModel::$name(model.without_ranks())),* }
            }

            fn timer(&self, of: Holder) -> Option<Timer> {
                match self { $($(#[$at])* AnyModel::$name(model) => model.timer(of)),* }
            }

            fn fire(&mut self, timer: Timer) { match self { $($(#[$at])* AnyModel::$name(model) => model.fire(timer)),* } }

            fn settle(&mut self) { match self { $($(#[$at])* AnyModel::$name(model) => model.settle()),* } }

            fn timers_ahead(&self, op: AnyOp) -> Vec<Timer> {
                match (self, op) {
                    $($(#[$at])* (AnyModel::$name(model), AnyOp::$name(op)) => model.timers_ahead(op),)*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(op),
                }
            }

            fn queue(&mut self, on: Session, op: AnyOp, by: &Asker) -> bool {
                match (self, op) {
                    $($(#[$at])* (AnyModel::$name(model), AnyOp::$name(op)) => model.queue(on, op, by),)*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(op),
                }
            }

            fn take_turn(&mut self, on: Session) -> Called<Response> {
                match self { $($(#[$at])* AnyModel::$name(model) => Ok(model.take_turn(on)?.map(Response::$name))),* }
            }

            fn forget(&mut self, party: Party, heir: Heir) -> Result<(), OutOfSight> {
                match self { $($(#[$at])* AnyModel::$name(model) => model.forget(party, heir)),* }
            }

            fn adopt(&self, from: &Self, party: Party, heir: Heir) -> Result<Vec<Self>, OutOfSight> {
                match (self, from) {
                    $($(#[$at])* (AnyModel::$name(model), AnyModel::$name(from)) => {
                        Ok(model.adopt(from, party, heir)?.into_iter().map(AnyModel::$name).collect())
                    })*
                    #[allow(unreachable_patterns)]
                    _ => panic!("views of two services are no views of the same state"),
                }
            }

            fn map_ranks(&mut self, ranks: &mut dyn FnMut(i64) -> i64) {
                match self { $($(#[$at])* AnyModel::$name(model) => model.map_ranks(ranks)),* }
            }

            fn unheard(&self, on: Session, op: AnyOp) -> Option<AnyOp> {
                match (self, op) {
                    $($(#[$at])* (AnyModel::$name(model), AnyOp::$name(op)) => model.unheard(on, op).map(AnyOp::$name),)*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(op),
                }
            }

            fn count_on_from(&mut self, rank: i64) {
                match self { $($(#[$at])* AnyModel::$name(model) => model.count_on_from(rank)),* }
            }

            fn balances(&self) -> Balances { match self { $($(#[$at])* AnyModel::$name(model) => model.balances()),* } }
        }

        impl AnyPast {
            /// After another operation, and what came of it.
            #[must_use]
            pub fn follow(self, op: AnyOp, outcome: Outcome) -> Self {
                match (self, op) {
                    $($(#[$at])* (AnyPast::$name(past), AnyOp::$name(op)) => {
                        AnyPast::$name(past.follow(op, outcome.map(|response| {
                            response.try_into().unwrap_or_else(super::contract::another)
                        })))
                    })*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(op),
                }
            }

            /// What an operation touches.
            #[must_use]
            pub fn touch(self, op: AnyOp, profile: Profile) -> Touched {
                match (self, op) {
                    $($(#[$at])* (AnyPast::$name(past), AnyOp::$name(op)) => past.touch(op, profile),)*
                    #[allow(unreachable_patterns)]
                    (_, op) => sent_to_another(op),
                }
            }

            /// What an operation touches whose request is lost or late.
            #[must_use]
            pub fn unmade(op: AnyOp) -> Touched {
                match op {
                    $($(#[$at])* AnyOp::$name(op) => <super::$folder::$service as Modelled>::Past::unmade(op)),*
                }
            }

            /// What the end of the connection touches.
            #[must_use]
            pub fn cut(self, profile: Profile) -> Touched {
                match self { $($(#[$at])* AnyPast::$name(past) => past.cut(profile)),* }
            }

            /// What the end of the attempt touches, besides that of its connections.
            #[must_use]
            pub fn over(self) -> Touched { match self { $($(#[$at])* AnyPast::$name(past) => past.over()),* } }

            /// What a timer touches that runs out while its lane is about to make this operation.
            #[must_use]
            pub fn expiry(self, before: AnyOp) -> Touched {
                match (self, before) {
                    $($(#[$at])* (AnyPast::$name(past), AnyOp::$name(op)) => past.expiry(Some(op)),)*
                    $($(#[$at])* #[allow(unreachable_patterns)] (AnyPast::$name(past), _) => past.expiry(None),)*
                }
            }

            /// What a request touches that lands late.
            #[must_use]
            pub fn later(self) -> Touched {
                match self { $($(#[$at])* AnyPast::$name(_) => <super::$folder::$service as Modelled>::Past::later()),* }
            }
        }
    };
}
for_each_service!(any_model);

#[cold]
fn sent_to_another<T>(op: AnyOp) -> T {
    panic!("`{op}` was sent to another service")
}
