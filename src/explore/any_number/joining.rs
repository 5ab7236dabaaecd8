//! Views put together: everything that can stand behind them, with one lane more than each of them shows.

use super::sight::{Lookout, TOO_MANY, View};
use crate::explore::environment::Flight;
use crate::explore::memo::{MemoPlace, Names};
use crate::explore::rules::Lane;
use crate::service::modelled::{OutOfSight, Party};
use crate::terms::{Session, Sessions};

/// How a view is continued by another: they have all lanes but one in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joint<'v> {
    pub view: &'v View,
    pub other: &'v View,
    /// The lane in common, in one and in the other, if they have one.
    pub common: Option<(u8, u8)>,
    /// The lane of the other view that is new.
    pub newcomer: u8,
}

/// What two views of one lane each come to together: without where the lanes stand in their strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    at: MemoPlace,
    /// The ranked ids of the two.
    given: [GivenRanks; 2],
    /// Where the second one is.
    place: u8,
}

/// The ranked ids that a lane was given.
type GivenRanks = [u8; 3];

/// The services of a view with a lane's ranked ids, those of another, and the places of both lanes.
pub(super) type JoinKey = (MemoPlace, GivenRanks, MemoPlace, GivenRanks, (u8, u8));

impl Lookout<'_> {
    /// Every state of the services with the lanes of both views that looks like both of them.
    ///
    /// # Errors
    /// [`OutOfSight`] if that cannot be said.
    pub fn join(&mut self, joint: Joint<'_>) -> Result<Vec<View>, OutOfSight> {
        let (None, &[own]) = (joint.common, self.places(joint.view).as_slice()) else { return self.work_out(joint) };
        // Where the lanes stand in their strategies says nothing about how the services fit together.
        let given = |view: &View, lane: u8| view.0.lanes[usize::from(lane)].given;
        let Joint { view, other, newcomer, .. } = joint;
        let key = (view.0.at, given(view, own), other.0.at, given(other, newcomer), (own, newcomer));
        if let Some(known) = self.joined.get(&key) {
            let with = |known: &Joined| {
                let mut whole = *view;
                whole.0.at = known.at;
                whole.0.lanes[usize::from(own)].given = known.given[0];
                let newcomer = Lane { given: known.given[1], ..other.0.lanes[usize::from(newcomer)] };
                whole.0.lanes[usize::from(known.place)] = newcomer;
                whole
            };
            return Ok(known.iter().map(with).collect());
        }
        let whole = self.work_out(joint)?;
        let joined = whole.iter().map(|whole| {
            let place = self.places(whole).into_iter().find(|lane| *lane != own).unwrap_or(own);
            Joined { at: whole.0.at, given: [given(whole, own), given(whole, place)], place }
        });
        let joined = joined.collect();
        self.joined.insert(key, joined);
        Ok(whole)
    }

    fn work_out(&mut self, joint: Joint<'_>) -> Result<Vec<View>, OutOfSight> {
        let Joint { view, other, common, newcomer } = joint;
        let taken = self.places(view);
        let class = self.class(newcomer);
        let Some(place) = self.free_place(&taken, class) else {
            return if self.graph.bound.is_resident(newcomer) { Ok(Vec::new()) } else { Err(TOO_MANY) };
        };

        // The other view under the names that its lanes get here.
        let mut names = Names { lanes: vec![(newcomer, place)], ..Names::default() };
        names.lanes.extend(common.map(|(here, there)| (there, here)));
        names.sessions = names.lanes.iter().map(|(old, new)| (Session(*old), Session(*new))).collect();
        let here = self.flights(view);
        let there = self.flights(other);
        let of = |flights: &[Flight], lane: u8| -> Vec<Session> {
            flights.iter().filter(|flight| flight.lane == lane).map(|flight| flight.session).collect()
        };
        if let Some((own, its)) = common {
            names.sessions.extend(of(&there, its).into_iter().zip(of(&here, own)));
        }
        let used: Sessions = here.iter().map(|flight| flight.session).collect();
        let free = (super::sight::FLIGHTS..).map(Session).filter(|session| !used.contains(*session));
        names.sessions.extend(of(&there, newcomer).into_iter().zip(free));
        let named = self.named(other, &names, there);

        let keep = |lane: Option<u8>| lane.map_or(0, |lane| 1 << lane);
        let (own, its) =
            (self.restrict(view, keep(common.map(|it| it.0)))?, self.restrict(&named, keep(common.map(|it| it.0)))?);
        let (own, its) = (self.ranks(&own), self.ranks(&its));
        if own.len() != its.len() {
            return Ok(Vec::new());
        }
        let (here, there) = (self.ranks(view), self.ranks(&named));
        let common = keep(common.map(|it| it.0));
        let all = taken.into_iter().fold(0, |bits, lane| bits | 1 << lane);
        let mut joined = Vec::new();
        for (to_here, to_there) in interleaved((&here, &own), (&there, &its)) {
            let next = to_here.iter().chain(&to_there).max().map_or(1, |last| last + 1);
            let whole = self.with_ranks(view, &here, &to_here, next);
            let from = self.with_ranks(&named, &there, &to_there, next);
            for whole in self.put_together(&whole, &from, place)? {
                if self.project(&whole, all)? == *view && self.project(&whole, common | 1 << place)? == *other {
                    joined.push(whole);
                }
            }
        }
        Ok(joined)
    }

    /// A view with a lane from another one, in which everything has the same names.
    fn put_together(&mut self, view: &View, from: &View, place: u8) -> Result<Vec<View>, OutOfSight> {
        let (party, heir) = (self.party(from, place), self.heir_of(from, place));
        let mut whole = *view;
        whole.0.lanes[usize::from(place)] = from.0.lanes[usize::from(place)];
        let mut flights = self.flights(&whole);
        flights.extend(self.flights(from).into_iter().filter(|flight| flight.lane == place));
        whole.0.at.flights = self.graph.memo.flights_number(flights);
        let services = self.graph.memo.adopt(whole.0.at.services, from.0.at.services, party, heir)?;
        let with = |services| {
            let mut with = whole;
            with.0.at.services = services;
            with
        };
        Ok(services.into_iter().map(with).collect())
    }

    /// Who is out of sight holds what a party does not.
    pub(super) fn party(&self, view: &View, lane: u8) -> Party {
        let flights = self.graph.memo.flights(view.0.at.flights);
        let of_flights = flights.iter().filter(|flight| flight.lane == lane).map(|flight| flight.session);
        Party { lane, sessions: of_flights.chain([Session(lane)]).collect() }
    }
}

/// Every order of the numbers of two views that have some in common (the second of each pair): what each number becomes in it. Numbers
/// that are not in common are different ones.
fn interleaved((here, own): (&[i64], &[i64]), (there, its): (&[i64], &[i64])) -> Vec<(Vec<i64>, Vec<i64>)> {
    // From gap to gap between the common numbers: how many numbers of each lie there.
    let gap = |all: &[i64], common: &[i64], n: usize| {
        let above = |id: &i64| n == 0 || *id > common[n - 1];
        let below = |id: &i64| n == common.len() || *id < common[n];
        all.iter().filter(|id| above(id) && below(id)).count()
    };
    let mut orders: Vec<Vec<RankTurn>> = vec![Vec::new()];
    for n in 0..=own.len() {
        let ways = shuffles(gap(here, own, n), gap(there, its, n));
        let common = (n < own.len()).then_some(RankTurn::Both);
        let with = |order: &Vec<RankTurn>| {
            let order = order.clone();
            ways.iter().map(move |way| order.iter().chain(way).copied().chain(common).collect()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(with).collect();
    }
    let places = |order: Vec<RankTurn>| {
        let of = |who: RankTurn| {
            let numbered = (1_i64..).zip(&order).filter(move |(_, turn)| **turn == RankTurn::Both || **turn == who);
            numbered.map(|(number, _)| number).collect::<Vec<_>>()
        };
        (of(RankTurn::Here), of(RankTurn::There))
    };
    orders.into_iter().map(places).collect()
}

/// Whose number comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RankTurn {
    Here,
    There,
    Both,
}

/// Every order of so many of one and so many of the other.
fn shuffles(here: usize, there: usize) -> Vec<Vec<RankTurn>> {
    if here == 0 || there == 0 {
        return vec![[vec![RankTurn::Here; here], vec![RankTurn::There; there]].concat()];
    }
    let then =
        |first: RankTurn, rest: Vec<Vec<RankTurn>>| rest.into_iter().map(move |rest| [vec![first], rest].concat());
    then(RankTurn::Here, shuffles(here - 1, there)).chain(then(RankTurn::There, shuffles(here, there - 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::interleaved;

    #[test]
    fn numbers_between_those_in_common_are_tried_in_every_order() {
        assert_eq!(interleaved((&[1], &[1]), (&[1], &[1])), [(vec![1], vec![1])]);
        // 1 and 2 are in common; here one lies between them, there two do.
        let orders = interleaved((&[1, 2, 3], &[1, 3]), (&[1, 2, 3, 4], &[1, 4]));
        assert_eq!(
            orders,
            [(vec![1, 2, 5], vec![1, 3, 4, 5]), (vec![1, 3, 5], vec![1, 2, 4, 5]), (vec![1, 4, 5], vec![1, 2, 3, 5])]
        );
    }
}
