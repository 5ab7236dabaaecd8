//! The services as they are seen by some of the lanes, by number.

use std::cell::Cell;

use crate::service::contract::{asked_id, asker_of};
use crate::service::modelled::{Heir, Model, OutOfSight, Party};
use crate::service::{AnyModel, HasIds, IdKind};
use crate::terms::{ByRole, Session};
use crate::world::Op;

use super::{Flight, Memo, NO_SERVICE, Seen, number};

/// How a view is changed, apart from what is in flight and what has been seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Sighted {
    Forget(u32, Party, Heir),
    Name(u32, Names),
    Rank(u32, Vec<i64>),
}

/// Other names of lanes and connections: each with the old one first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(in crate::explore) struct Names {
    pub lanes: Vec<(u8, u8)>,
    pub sessions: Vec<(Session, Session)>,
}

impl Names {
    fn session(&self, session: Session) -> Session {
        self.sessions.iter().find(|(old, _)| *old == session).map_or(session, |(_, new)| *new)
    }

    /// The other name of an id.
    pub fn id(&self, kind: IdKind, id: i64) -> i64 {
        if kind != IdKind::Asked || id < 1 {
            return id;
        }
        let (lane, attempt, number) = asker_of(id);
        self.lanes.iter().find(|(old, _)| *old == lane).map_or(id, |(_, new)| asked_id(*new, attempt, number))
    }

    /// A request in flight under its other name.
    pub fn flight(&self, flight: Flight) -> Flight {
        let lane = self.lanes.iter().find(|(old, _)| *old == flight.lane).map_or(flight.lane, |(_, new)| *new);
        let op = flight.op.map_ids(&mut |kind, id| self.id(kind, id));
        Flight { lane, op, session: self.session(flight.session), ..flight }
    }
}

/// The place of a number among others, counted from 1: the same order without gaps.
pub(in crate::explore) fn rank_among(ranks: &[i64], of: i64) -> i64 {
    let place = ranks.partition_point(|rank| *rank < of);
    i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1)
}

impl Memo {
    /// The number of what has been seen.
    pub fn seen_number(&mut self, seen: Seen) -> u32 {
        number(&mut self.seen, seen)
    }

    /// The number of what is in flight.
    pub fn flights_number(&mut self, flights: Vec<Flight>) -> u32 {
        number(&mut self.flights, flights)
    }

    /// The states of the services, in words that are the same in every process.
    pub fn services_in_words(&self, services: u32) -> String {
        let states = self.services[services as usize];
        let of = states.iter().filter(|(_, state)| **state != NO_SERVICE);
        of.map(|(role, state)| format!("{role:?}: {:?}", self.states[*state as usize])).collect::<Vec<_>>().join("; ")
    }

    /// Whether anything is in the name of this lane.
    pub fn names(&mut self, services: u32, lane: u8) -> bool {
        if let Some(known) = self.named.get(&(services, lane)) {
            return *known;
        }
        let is_named = self.looks_for(services, lane);
        self.named.insert((services, lane), is_named);
        is_named
    }

    fn looks_for(&self, services: u32, lane: u8) -> bool {
        let is_named = Cell::new(false);
        let note = |is: bool| is_named.set(is_named.get() || is);
        let session = |session: Session| {
            note(session.0 == lane);
            session
        };
        let mut id = |kind: IdKind, id: i64| {
            note(kind == IdKind::Asked && id > 0 && asker_of(id).0 == lane);
            id
        };
        for state in self.services[services as usize].0 {
            if state != NO_SERVICE && self.states[state as usize].has_names() {
                self.states[state as usize].clone().rename(&session, &mut id);
            }
        }
        is_named.get()
    }

    /// What a request in flight can come to, where nobody hears of it.
    pub fn unheard(&self, services: u32, flight: Flight) -> Option<Flight> {
        let state = self.services[services as usize][flight.op.role];
        let of = self.states[state as usize].unheard(flight.session, flight.op.of)?;
        Some(Flight { op: Op { of, ..flight.op }, ..flight })
    }

    /// The services without a party that is out of sight.
    ///
    /// # Errors
    /// [`OutOfSight`] if a state cannot be seen so.
    pub fn forget(&mut self, services: u32, party: Party, heir: Heir) -> Result<u32, OutOfSight> {
        self.each_state(Sighted::Forget(services, party, heir), services, |model| model.forget(party, heir))
    }

    /// Every combination of states that looks like this one, and where a party is as it is in another.
    ///
    /// # Errors
    /// As [`forget`](Memo::forget).
    pub fn adopt(&mut self, services: u32, from: u32, party: Party, heir: Heir) -> Result<Vec<u32>, OutOfSight> {
        let key = (services, from, party, heir);
        if let Some(known) = self.adopted.get(&key) {
            return known.clone();
        }
        let adopted = self.adopt_each(services, from, party, heir);
        self.adopted.insert(key, adopted.clone());
        adopted
    }

    fn adopt_each(&mut self, services: u32, from: u32, party: Party, heir: Heir) -> Result<Vec<u32>, OutOfSight> {
        let (combination, its) = (self.services[services as usize], self.services[from as usize]);
        let mut ways = vec![combination];
        for role in 0..combination.0.len() {
            if combination.0[role] == NO_SERVICE {
                continue;
            }
            let from = &self.states[its.0[role] as usize];
            let models = self.states[combination.0[role] as usize].adopt(from, party, heir)?;
            let states: Vec<u32> = models.into_iter().map(|model| self.state_number(model)).collect();
            let with = |way: &ByRole<u32>, state: u32| {
                let mut way = *way;
                way.0[role] = state;
                way
            };
            ways = ways.iter().flat_map(|way| states.iter().map(|state| with(way, *state))).collect();
        }
        Ok(ways.into_iter().map(|way| number(&mut self.services, way)).collect())
    }

    fn state_number(&mut self, model: AnyModel) -> u32 {
        let model = if self.tokens { model } else { model.without_ranks() };
        number(&mut self.states, model)
    }

    /// The services with lanes and connections under other names.
    pub fn name(&mut self, services: u32, names: &Names) -> u32 {
        let named = self.each_state(Sighted::Name(services, names.clone()), services, |model| {
            if model.has_names() {
                model.rename(&|session| names.session(session), &mut |kind: IdKind, id: i64| names.id(kind, id));
            }
            Ok(())
        });
        named.expect("to rename takes no sight")
    }

    /// The services with other ranked ids: `ranks` are all that were told to somebody, the lowest first, and `next` is above all others.
    pub fn rank(&mut self, services: u32, ranks: &[i64], to: &[i64], next: i64) -> u32 {
        let key = Sighted::Rank(services, ranks.iter().chain(to).copied().chain([next]).collect());
        let ranked = self.each_state(key, services, |model| {
            model.map_ranks(&mut |id| to.get(ranks.partition_point(|rank| *rank < id)).copied().unwrap_or(id));
            model.count_on_from(next);
            Ok(())
        });
        ranked.expect("to rank takes no sight")
    }

    /// The ranked ids in the services.
    pub fn ranks(&mut self, services: u32, ranks: &mut Vec<i64>) {
        if let Some(known) = self.ranked.get(&services) {
            return ranks.extend(known);
        }
        let before = ranks.len();
        self.look_for_ranks(services, ranks);
        self.ranked.insert(services, ranks[before..].to_vec());
    }

    fn look_for_ranks(&self, services: u32, ranks: &mut Vec<i64>) {
        for state in self.services[services as usize].0 {
            if state != NO_SERVICE {
                self.states[state as usize].clone().map_ranks(&mut |id| {
                    ranks.push(id);
                    id
                });
            }
        }
    }

    fn each_state(
        &mut self,
        key: Sighted,
        services: u32,
        change: impl Fn(&mut AnyModel) -> Result<(), OutOfSight>,
    ) -> Result<u32, OutOfSight> {
        if let Some(known) = self.sighted.get(&key) {
            return *known;
        }
        let changed = self.change_each(services, change);
        self.sighted.insert(key, changed);
        changed
    }

    fn change_each(
        &mut self,
        services: u32,
        change: impl Fn(&mut AnyModel) -> Result<(), OutOfSight>,
    ) -> Result<u32, OutOfSight> {
        let mut combination = self.services[services as usize];
        for role in 0..combination.0.len() {
            let state = combination.0[role];
            if state == NO_SERVICE {
                continue;
            }
            let mut model = self.states[state as usize].clone();
            change(&mut model)?;
            combination.0[role] = self.state_number(model);
        }
        Ok(number(&mut self.services, combination))
    }

    /// The combination of these states.
    #[cfg(test)]
    pub fn services_number(&mut self, models: &[Option<AnyModel>]) -> u32 {
        let mut combination = self.services[0];
        for (role, model) in models.iter().enumerate() {
            if let Some(model) = model {
                combination.0[role] = self.state_number(model.clone());
            }
        }
        number(&mut self.services, combination)
    }

    /// The states of the services in a combination.
    #[cfg(test)]
    pub fn models(&self, services: u32) -> Vec<Option<AnyModel>> {
        let states = self.services[services as usize];
        states.0.iter().map(|state| (*state != NO_SERVICE).then(|| self.states[*state as usize].clone())).collect()
    }
}
