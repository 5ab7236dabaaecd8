//! Every state that an exploration comes to, with two, three and four lanes, is seen in the views of a proof.

use indexmap::IndexSet;
use rand::{RngExt, SeedableRng};

use super::{PROVED, any};
use crate::explore::any_number::search::Views;
use crate::explore::any_number::sight::{GONE, Lookout, View};
use crate::explore::any_number::{search, wanted};
use crate::explore::environment::Flight;
use crate::explore::rules::Lane;
use crate::explore::state_graph::{State, StateGraph, Transition};
use crate::explore::{Bound, Flaws, Kinds};
use crate::service::contract::{asked_id, asker_of};
use crate::service::modelled::{Heir, Model, Party};
use crate::service::{HasIds, IdKind};
use crate::strategy::{Registry, Strategy};
use crate::terms::{Session, Sessions};

/// A lane's attempt that is at work, or has a request in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Participant {
    lane: u8,
    attempt: u8,
    at_work: bool,
}

/// Where lanes of explorations have their numbers while they are looked at: beyond all others.
const BEYOND: u8 = 32;

/// A state of an exploration as it is seen by some of the attempts in it, `kept`, by number.
struct Looked<'a, 's> {
    graph: &'a StateGraph<'s>,
    state: State,
    participants: Vec<Participant>,
}

impl<'a, 's> Looked<'a, 's> {
    fn at(graph: &'a StateGraph<'s>, state: State) -> Self {
        let mut participants = Vec::new();
        for lane in 0..graph.bound.lanes {
            let its = state.lanes[usize::from(lane)];
            // One that stands before its first step is like any that may come.
            let is_new = graph.tree.before(its.node).is_none()
                && its.bits() == Lane { node: its.node, attempt: its.attempt, ..Lane::default() }.bits();
            if !its.is_ended() && !is_new {
                participants.push(Participant { lane, attempt: its.attempt, at_work: true });
            }
        }
        for flight in graph.memo.flights(state.at.flights) {
            let it = Participant { lane: flight.lane, attempt: flight.attempt, at_work: false };
            if !participants.iter().any(|known| (known.lane, known.attempt) == (it.lane, it.attempt)) {
                participants.push(it);
            }
        }
        Looked { graph, state, participants }
    }

    fn sessions(&self, n: usize) -> Vec<Session> {
        let it = self.participants[n];
        let flights = self.graph.memo.flights(self.state.at.flights).iter();
        let flights = flights.filter(|flight| (flight.lane, flight.attempt) == (it.lane, it.attempt));
        flights.map(|flight| flight.session).chain(it.at_work.then_some(Session(it.lane))).collect()
    }

    /// The view of the attempts that are kept, as a proof has it; nothing if it cannot be seen so.
    fn seen_by(&self, sight: &mut Lookout<'_>, kept: &[usize]) -> View {
        let all: Vec<Session> = (0..self.participants.len()).flat_map(|n| self.sessions(n)).collect();
        let beyond = |session: Session| {
            let place = all.iter().position(|its| *its == session);
            place.map_or(session, |place| Session(BEYOND + u8::try_from(place).expect("there are few")))
        };
        let number = |lane: u8, attempt: u8| {
            let place = self.participants.iter().position(|it| (it.lane, it.attempt) == (lane, attempt));
            // Those that are over come after them.
            place.map_or(BEYOND + 64 + lane * 8 + attempt, |place| BEYOND + u8::try_from(place).expect("there are few"))
        };
        let id = |kind: IdKind, id: i64| match (kind, asker_of(id)) {
            (IdKind::Asked, (lane, attempt, n)) if id > 0 && lane < BEYOND => asked_id(number(lane, attempt), 0, n),
            _ => id,
        };
        let mut places = Vec::new();
        for n in kept {
            let (lane, bound) = (self.participants[*n].lane, &self.graph.bound);
            let class = (bound.is_resident(lane).then(|| bound.resident_of(lane)), 0);
            places.push(sight.free_place(&places, class).expect("there is a place"));
        }
        let mut next = (16..).map(Session);
        let mut sessions: Vec<(Session, Session)> = Vec::new();
        let mut flights = Vec::new();
        for (n, place) in kept.iter().zip(&places) {
            let it = self.participants[*n];
            let own = self.graph.memo.flights(self.state.at.flights).iter();
            for flight in own.filter(|flight| (flight.lane, flight.attempt) == (it.lane, it.attempt)) {
                let session = next.next().expect("there are more");
                sessions.push((beyond(flight.session), session));
                flights.push(Flight { lane: *place, attempt: 0, op: flight.op.map_ids(&mut { id }), session });
            }
            if it.at_work {
                sessions.push((beyond(Session(it.lane)), Session(*place)));
            }
        }
        let to_place =
            |session: Session| sessions.iter().find(|(old, _)| *old == session).map_or(session, |(_, new)| *new);
        let at_place = |kind: IdKind, id: i64| match (kind, asker_of(id)) {
            (IdKind::Asked, (lane, _, number)) if id > 0 => {
                let kept =
                    kept.iter().zip(&places).find(|(n, _)| BEYOND + u8::try_from(**n).expect("there are few") == lane);
                kept.map_or(id, |(_, place)| asked_id(*place, 0, number))
            }
            _ => id,
        };
        let mut models = self.graph.memo.models(self.state.at.services);
        for model in models.iter_mut().flatten() {
            model.rename(&beyond, &mut { id });
            for over in BEYOND + 64..=u8::MAX {
                let party = Party { lane: over, sessions: Sessions::NONE };
                model.forget(party, GONE).expect("it can be seen in part");
            }
            for n in (0..self.participants.len()).filter(|n| !kept.contains(n)) {
                let lane = BEYOND + u8::try_from(n).expect("there are few");
                let party = Party { lane, sessions: self.sessions(n).into_iter().map(beyond).collect() };
                // Nobody keeps what those asked for that are through.
                let heir = match self.participants[n].at_work {
                    true => sight.another,
                    false => Heir { session: sight.another.session, ..GONE },
                };
                model.forget(party, heir).expect("it can be seen in part");
            }
            model.rename(&to_place, &mut { at_place });
        }
        let flights: Vec<Flight> =
            flights.into_iter().map(|flight| Flight { op: flight.op.map_ids(&mut { at_place }), ..flight }).collect();

        let mut view = sight.start();
        for (n, place) in kept.iter().zip(&places) {
            let it = self.participants[*n];
            if it.at_work {
                let its = self.state.lanes[usize::from(it.lane)];
                let node = self.node_in(sight, its.node);
                view.0.lanes[usize::from(*place)] = Lane { node, attempt: 0, ..its };
            }
        }
        view.0.at.services = sight.graph.memo.services_number(&models);
        view.0.at.flights = sight.graph.memo.flights_number(flights);
        let seen = self.graph.memo.seen(self.state.at.seen).clone().without_ends();
        view.0.at.seen = sight.graph.memo.seen_number(seen);
        let all = places.iter().fold(0, |bits, place| bits | 1 << place);
        let view = sight.departed(view.0).expect("it can be seen in part");
        sight.project(&view, all).expect("it can be seen in part")
    }

    /// A place in the tree of the exploration, in the tree of the proof.
    fn node_in(&self, sight: &mut Lookout<'_>, node: u16) -> u16 {
        match self.graph.tree.before(node) {
            Some((before, learned)) => {
                let before = self.node_in(sight, before);
                sight.graph.tree.child(before, learned).expect("explorable")
            }
            None => node,
        }
    }
}

/// The first states that there are, in the order of the number of steps that lead there.
fn first_states(graph: &mut StateGraph<'_>, most: usize, mut look: impl FnMut(&StateGraph<'_>, State)) {
    let beginning = graph.beginning().expect("explorable");
    let mut states: IndexSet<State> = [beginning].into_iter().collect();
    let (mut at, mut ways) = (0, Vec::new());
    while let Some(state) = states.get_index(at).copied() {
        look(graph, state);
        graph.ways(&state, &mut ways).expect("explorable");
        if states.len() < most {
            states.extend(ways.iter().map(|way| way.to));
        }
        at += 1;
    }
}

/// The ways from state to state at random, as far as they go.
fn walks(graph: &mut StateGraph<'_>, number: u32, mut look: impl FnMut(&StateGraph<'_>, State)) {
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut ways: Vec<Transition> = Vec::new();
    for _ in 0..number {
        let mut state = graph.beginning().expect("explorable");
        loop {
            look(graph, state);
            graph.ways(&state, &mut ways).expect("explorable");
            let Some(way) = ways.get(random.random_range(0..ways.len().max(1))) else { break };
            state = way.to;
        }
    }
}

fn views_of<'s>(strategy: &'s dyn Strategy, bound: Bound) -> (Lookout<'s>, Views, bool) {
    let bound = bound.for_any_number(strategy);
    for tokens in [false, true] {
        let mut sight =
            Lookout::new(strategy, bound, Flaws::default(), tokens, wanted(strategy, &bound)).expect("explorable");
        let (views, _) = search(&mut sight, 1, &mut ()).expect("it can be seen in part");
        if !sight.graph.memo.tokens_needed {
            return (sight, views, tokens);
        }
    }
    unreachable!("tokens matter already")
}

#[test]
fn whatever_an_exploration_comes_to_is_seen_in_the_proof() {
    let registry = Registry::default();
    let mut looked = 0_u32;
    for name in PROVED.iter().map(|(name, _)| *name).chain(["etcd-lock-fenced-transaction"]) {
        let strategy = registry.get(name).expect("it is there");
        let (mut sight, views, tokens) = views_of(&*strategy, any(1));
        for (lanes, retries, faults) in [(2, 1, 2), (3, 1, 1), (4, 0, 2)] {
            let bound = Bound { kinds: Kinds::all(), ..Bound::new(lanes, retries, faults) }.for_strategy(&*strategy);
            if bound.lanes > crate::explore::MAX_LANES {
                continue;
            }
            let mut graph = StateGraph::new(&*strategy, bound, Flaws::default(), tokens).expect("explorable");
            let mut look = |graph: &StateGraph<'_>, state| {
                let seen = Looked::at(graph, state);
                let each = (0..seen.participants.len()).map(|n| vec![n]).chain([Vec::new()]);
                for kept in each {
                    looked += 1;
                    let view = seen.seen_by(&mut sight, &kept);
                    // What is seen by nobody is seen of what somebody sees.
                    let of_fewer = sight.project(&view, 0).expect("it can be seen in part");
                    assert_eq!(of_fewer, seen.seen_by(&mut sight, &[]), "{name}");
                    assert!(
                        views.known.contains_key(&view),
                        "{name} {bound}: not in the proof, seen by {:?}:\n{}",
                        kept.first().map(|n| seen.participants[*n]),
                        sight.in_words(&view)
                    );
                }
            };
            // All of them where there are no more than so many, and where there are more, ways to the end.
            first_states(&mut graph, 2_500, &mut look);
            walks(&mut graph, 100, &mut look);
        }
    }
    assert!(looked > 10_000, "{looked}");
}

/// What is thought of what was seen is never milder than the checks.
#[test]
fn what_is_seen_is_judged_as_strictly_as_a_history() {
    for strategy in Registry::default().iter() {
        for requests in [1, 2] {
            let bound = Bound { kinds: Kinds::all(), requests, ..Bound::new(2, 1, 2) }.for_strategy(strategy.as_ref());
            let mut graph = StateGraph::new(strategy.as_ref(), bound, Flaws::default(), true).expect("explorable");
            let sight = Lookout::new(
                strategy.as_ref(),
                any(requests).for_any_number(strategy.as_ref()),
                Flaws::default(),
                true,
                wanted(strategy.as_ref(), &bound),
            );
            let judge = sight.expect("explorable").wanted;
            let mut random = rand::rngs::StdRng::seed_from_u64(11);
            let mut ways: Vec<Transition> = Vec::new();
            for _ in 0..60 {
                let (mut state, mut steps) = (graph.beginning().expect("explorable"), Vec::new());
                loop {
                    graph.ways(&state, &mut ways).expect("explorable");
                    let Some(way) = ways.get(random.random_range(0..ways.len().max(1))) else { break };
                    steps.push(way.step);
                    state = way.to;
                }
                let told = graph.judge(&state, || steps.clone()).expect("explorable");
                let settled = graph.settle(&state).expect("explorable");
                let seen = graph.memo.seen(settled).clone();
                let found = judge.lasting(&seen).and(judge.in_the_end(&seen));
                let missed = told.among(judge.violations).without(found);
                assert!(missed.is_empty(), "{} {steps:?}: {missed:?} of {told:?}", strategy.name());
            }
        }
    }
}
