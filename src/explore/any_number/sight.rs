//! What is seen of any number of lanes: the services, and a few of the lanes at a time.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::explore::bound::{Bound, MAX_LANES};
use crate::explore::environment::{Environment, Flight};
use crate::explore::memo::{MemoPlace, Names, rank_among};
use crate::explore::rules::Lane;
use crate::explore::schedule::{Fate, Step};
use crate::explore::state_graph::{State, StateGraph};
use crate::explore::{ExploreError, Flaws, Violations};
use crate::service::contract::asker_of;
use crate::service::modelled::{Heir, OutOfSight, Party, Timer};
use crate::service::{HasIds, IdKind};
use crate::strategy::Strategy;
use crate::terms::{Role, Session, Sessions, Violation};

use super::bad::ViewJudge;
use super::joining::{JoinKey, Joined};
use super::words::hash;

/// In whose name stays what lanes have left behind that are gone. Nobody keeps it.
pub(super) const GONE: Heir = Heir::of_all(14);
pub(super) const TOO_MANY: OutOfSight = OutOfSight("it takes more lanes than an exploration has");
/// A ranked id that is never asked for again.
const SAYS_NOTHING: u8 = u8::MAX;
/// Where the sessions of requests in flight begin.
pub(super) const FLIGHTS: u8 = 16;

/// Why there is nothing to be said about a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoView {
    #[error(transparent)]
    Explore(#[from] ExploreError),
    #[error(transparent)]
    OutOfSight(#[from] OutOfSight),
    #[error("{0}")]
    Unmodelled(String),
}

/// The services and a few lanes: a view, or lanes enough for a step of any of them.
///
/// The lanes stand in the first places that carry their request. Where a place is empty, its lane has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct View(pub State);

/// A step of one lane: one that is in sight, a new one, or, with none, the end of a timer whose lane is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Move {
    pub lane: Option<u8>,
    pub is_new: bool,
    /// None if it gives way: its wait ends all the same.
    pub fate: Option<Fate>,
}

/// A strategy under views.
pub(super) struct Lookout<'s> {
    pub graph: StateGraph<'s>,
    pub wanted: ViewJudge,
    /// In whose name stays what lanes hold that are out of sight. It has the place of a lane that never makes a step.
    pub another: Heir,
    keys: FxHashMap<u16, u64>,
    /// The places in the tree from which there is a way to an operation with a ranked id. Anywhere else a lane's ranked ids say nothing.
    pub live: BTreeSet<u64>,
    /// A place was found that was not known to be one of them: what was seen before has to be looked at again.
    pub has_learned: bool,
    pub(super) joined: FxHashMap<JoinKey, Vec<Joined>>,
    projected: FxHashMap<(View, u8), Result<View, OutOfSight>>,
}

impl<'s> Lookout<'s> {
    /// Nothing is known yet. There is no fault but of these kinds, and of each as many as can be.
    pub fn new(
        strategy: &'s dyn Strategy,
        bound: Bound,
        flaws: Flaws,
        tokens: bool,
        wanted: Violations,
    ) -> Result<Self, ExploreError> {
        let bound = Bound { lanes: MAX_LANES, copies: 0, retries: 0, faults: 1, ..bound };
        let graph = StateGraph::new(strategy, bound, flaws, tokens)?;
        let wanted = ViewJudge {
            violations: wanted,
            shape: strategy.shape(),
            stores: graph.executor.effects,
            requests: bound.all_requests(),
        };
        let another = Heir::of_all(MAX_LANES - bound.residents - 1);
        Ok(Lookout {
            graph,
            wanted,
            another,
            keys: FxHashMap::default(),
            live: BTreeSet::new(),
            has_learned: false,
            joined: FxHashMap::default(),
            projected: FxHashMap::default(),
        })
    }

    /// Forgets what was seen, as far as it depends on what has been learned since.
    pub fn look_again(&mut self) {
        self.has_learned = false;
        self.projected.clear();
        self.joined.clear();
    }

    /// An operation with a ranked id is made at a place: the way to it is live.
    fn learn_of(&mut self, node: u16) {
        let mut at = Some(node);
        while let Some(node) = at {
            let key = self.node_key(node);
            self.has_learned |= self.live.insert(key);
            at = self.graph.tree.before(node).map(|(before, _)| before);
        }
    }

    /// Before anything happened.
    pub fn start(&self) -> View {
        let mut lanes = [Lane::ASLEEP; MAX_LANES as usize];
        // It stands for the others, who are at work, and is never asked to make a step.
        lanes[usize::from(self.another.lane)] = Lane { node: self.graph.tree.carried_root(), ..Lane::default() };
        View(State { lanes, at: MemoPlace::default(), faults: 0 })
    }

    pub(super) fn flights(&self, view: &View) -> Vec<Flight> {
        self.graph.memo.flights(view.0.at.flights).to_vec()
    }

    /// The places of the lanes that are in sight.
    pub fn places(&self, view: &View) -> Vec<u8> {
        let flights = self.graph.memo.flights(view.0.at.flights);
        let is_there =
            |lane: &u8| !view.0.lanes[usize::from(*lane)].is_ended() || flights.iter().any(|it| it.lane == *lane);
        self.all_places().filter(is_there).collect()
    }

    fn all_places(&self) -> impl Iterator<Item = u8> + use<> {
        let another = self.another.lane;
        (0..MAX_LANES).filter(move |lane| *lane != another)
    }

    /// What tells a lane from others: the request that it carries or works for, and which of those it is that work for the system.
    pub(super) fn class(&self, lane: u8) -> (Option<u8>, u8) {
        let bound = &self.graph.bound;
        let resident = bound.is_resident(lane).then(|| bound.resident_of(lane));
        let behind = if resident.is_some() { bound.lanes - bound.residents } else { 0 };
        (resident, if bound.requests <= 1 { 0 } else { (lane - behind) % bound.requests })
    }

    /// The first place that is free for a lane of a class.
    pub(super) fn free_place(&self, taken: &[u8], class: (Option<u8>, u8)) -> Option<u8> {
        self.all_places().find(|lane| self.class(*lane) == class && !taken.contains(lane))
    }

    /// Every step that can be made: of each lane in sight, of a new one of each class if there may be one, and the end of a timer that nobody
    /// keeps.
    pub fn moves(&mut self, view: &View, may_begin: bool) -> Result<Vec<(Move, View)>, NoView> {
        let mut moves = Vec::new();
        let places = self.places(view);
        for lane in &places {
            moves.extend(self.moves_of(view, *lane)?);
        }
        let mut new: Vec<u8> = Vec::new();
        for lane in self.all_places().filter(|lane| may_begin && !places.contains(lane)) {
            if new.iter().all(|other| self.class(*other) != self.class(lane)) {
                new.push(lane);
            }
        }
        for lane in new {
            let mut from = view.0;
            from.lanes[usize::from(lane)] = Lane::default();
            self.graph.begin_attempt(&mut from, lane);
            if from.lanes[usize::from(lane)].is_ended() {
                let made = Move { lane: Some(lane), is_new: true, fate: Some(Fate::Arrives) };
                moves.push((made, self.departed(from)?));
            } else {
                self.steps_of(&from, lane, true, &mut moves)?;
            }
        }
        if self.graph.bound.kinds.contains(Fate::Expires) && self.graph.memo.names(view.0.at.services, GONE.lane) {
            for role in Role::ALL {
                let ((), to) = self.graph.rules(&view.0, |rules| {
                    if rules.environment.has_service(role) {
                        rules.environment.fire(role, Timer(GONE.id()));
                    }
                });
                if to != view.0 {
                    moves.push((Move { lane: None, is_new: false, fate: Some(Fate::Expires) }, View(to)));
                }
            }
        }
        match self.graph.memo.waits_unmodelled {
            Some(op) => Err(NoView::Unmodelled(format!("`{}` can wait with a snapshot of its own", op.name()))),
            None => Ok(moves),
        }
    }

    /// Every step of a lane that is in sight.
    pub fn moves_of(&mut self, view: &View, lane: u8) -> Result<Vec<(Move, View)>, NoView> {
        let mut moves = Vec::new();
        self.steps_of(&view.0, lane, false, &mut moves)?;
        Ok(moves)
    }

    fn steps_of(&mut self, from: &State, lane: u8, is_new: bool, moves: &mut Vec<(Move, View)>) -> Result<(), NoView> {
        let is_in_flight = self.graph.memo.flights(from.at.flights).iter().any(|flight| flight.lane == lane);
        if self.graph.pending_op(from, lane).is_some_and(|op| op.has_ranked()) {
            self.learn_of(from.lanes[usize::from(lane)].node);
        }
        for fate in self.graph.bound.fates() {
            let pending = self.graph.pending_op(from, lane);
            let (fate, to) = match self.graph.step(from, Step { lane, fate })? {
                Some(to) => (Some(fate), to),
                // Who waits may be the victim of a deadlock with others, or give up.
                None if fate == Fate::Arrives && pending.is_some() || fate == Fate::Lands && is_in_flight => {
                    let pending = pending.filter(|_| fate == Fate::Arrives);
                    let (effect, to) = self.graph.rules(from, |rules| rules.give_way(lane, pending));
                    let Some(effect) = effect else { continue };
                    (None, self.graph.follow(to, lane, effect)?)
                }
                None => continue,
            };
            let to = self.departed(State { faults: 0, ..to })?;
            moves.push((Move { lane: Some(lane), is_new, fate }, to));
        }
        Ok(())
    }

    /// A lane before its first step.
    fn new_lane(&self, lane: u8) -> Lane {
        let (resident, request) = self.class(lane);
        let node = resident.map_or(request.into(), |resident| self.graph.tree.resident_root(resident, request));
        Lane { node, ..Lane::default() }
    }

    /// Lanes that are through are gone, and what they have left behind is nobody's. One that has not made a step is like any that may come.
    pub(super) fn departed(&mut self, state: State) -> Result<View, NoView> {
        let mut view = View(state);
        let flights = self.flights(&view);
        if !flights.is_empty() {
            let unheard = flights.into_iter().filter_map(|flight| self.graph.memo.unheard(state.at.services, flight));
            let unheard = unheard.collect();
            view.0.at.flights = self.graph.memo.flights_number(unheard);
        }
        for lane in self.all_places() {
            let place = usize::from(lane);
            let its = view.0.lanes[place];
            let is_in_flight = self.graph.memo.flights(view.0.at.flights).iter().any(|it| it.lane == lane);
            let is_new = its == self.new_lane(lane);
            if its.is_ended() || is_new && !is_in_flight {
                view.0.lanes[place] = Lane::ASLEEP;
            }
            if is_in_flight || !(its.is_ended() || is_new) {
                continue;
            }
            if self.graph.memo.names(view.0.at.services, lane) {
                let party = Party { lane, sessions: Sessions::only(Session(lane)) };
                view.0.at.services = self.graph.memo.forget(view.0.at.services, party, GONE)?;
            }
        }
        Ok(view)
    }

    /// What is seen by these lanes, as bits, alone, with all others out of sight.
    pub fn project(&mut self, view: &View, keep: u8) -> Result<View, OutOfSight> {
        if let Some(known) = self.projected.get(&(*view, keep)) {
            return *known;
        }
        let projected = self.restrict(view, keep).map(|view| self.canonical(view));
        self.projected.insert((*view, keep), projected);
        projected
    }

    /// In whose name stays what a lane has that is out of sight. Nobody keeps what it asked for if it is through, and only has requests in
    /// flight.
    pub(super) fn heir_of(&self, view: &View, lane: u8) -> Heir {
        match view.0.lanes[usize::from(lane)].is_ended() {
            true => Heir { session: self.another.session, ..GONE },
            false => self.another,
        }
    }

    /// The same with lanes where they are, and ranked ids as they are.
    pub fn restrict(&mut self, view: &View, keep: u8) -> Result<View, OutOfSight> {
        let mut kept = *view;
        for lane in self.places(view) {
            if keep & 1 << lane != 0 {
                continue;
            }
            let (party, heir) = (self.party(view, lane), self.heir_of(view, lane));
            kept.0.at.services = self.graph.memo.forget(kept.0.at.services, party, heir)?;
            kept.0.lanes[usize::from(lane)] = Lane::ASLEEP;
            let flights = self.flights(&kept).into_iter().filter(|flight| flight.lane != lane).collect();
            kept.0.at.flights = self.graph.memo.flights_number(flights);
        }
        Ok(kept)
    }

    /// The ranked ids in it, each once, the lowest first.
    pub fn ranks(&mut self, view: &View) -> Vec<i64> {
        let mut ranks = Vec::new();
        if !self.graph.memo.tokens {
            return ranks;
        }
        self.graph.memo.ranks(view.0.at.services, &mut ranks);
        let lanes = self.places(view);
        let given = lanes.iter().flat_map(|lane| view.0.lanes[usize::from(*lane)].given);
        let given = given.filter(|given| *given != 0 && *given != SAYS_NOTHING);
        ranks.extend(given.map(i64::from));
        for flight in self.graph.memo.flights(view.0.at.flights) {
            let _ = flight.op.map_ids(&mut |kind, id| {
                if kind == IdKind::Ranked {
                    ranks.push(id);
                }
                id
            });
        }
        ranks.extend(self.graph.memo.seen(view.0.at.seen).ranks());
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// The same with ranked ids under other numbers.
    pub fn with_ranks(&mut self, view: &View, ranks: &[i64], to: &[i64], next: i64) -> View {
        if !self.graph.memo.tokens {
            return *view;
        }
        let rank = |id: i64| to.get(ranks.partition_point(|rank| *rank < id)).copied().unwrap_or(id);
        let mut ranked = *view;
        ranked.0.at.services = self.graph.memo.rank(view.0.at.services, ranks, to, next);
        for lane in self.places(view) {
            for given in ranked.0.lanes[usize::from(lane)].given.iter_mut() {
                if *given == 0 || *given == SAYS_NOTHING {
                    continue;
                }
                *given = u8::try_from(rank((*given).into())).unwrap_or(u8::MAX);
            }
        }
        let of_op = |kind, id| if kind == IdKind::Ranked { rank(id) } else { id };
        let flights = self.flights(view).into_iter();
        let flights = flights.map(|flight| Flight { op: flight.op.map_ids(&mut { of_op }), ..flight }).collect();
        ranked.0.at.flights = self.graph.memo.flights_number(flights);
        let seen = self.graph.memo.seen(view.0.at.seen).clone().with_ranks(rank);
        ranked.0.at.seen = self.graph.memo.seen_number(seen);
        ranked
    }

    /// The same with lanes in the first places in one order, and ranked ids without gaps.
    fn canonical(&mut self, mut view: View) -> View {
        if !self.wanted.violations.contains(Violation::Overlap) {
            let seen = self.graph.memo.seen(view.0.at.seen).clone().without_overlap();
            view.0.at.seen = self.graph.memo.seen_number(seen);
        }
        for lane in self.places(&view) {
            let its = view.0.lanes[usize::from(lane)];
            if !self.graph.memo.tokens || its.given == [0; 3] {
                continue;
            }
            let key = self.node_key(its.node);
            if !self.live.contains(&key) {
                let given = its.given.map(|given| if given == 0 { 0 } else { SAYS_NOTHING });
                view.0.lanes[usize::from(lane)].given = given;
            }
        }
        let ranks = self.ranks(&view);
        let dense: Vec<i64> = ranks.iter().map(|rank| rank_among(&ranks, *rank)).collect();
        let next = dense.last().map_or(1, |last| last + 1);
        let view = self.with_ranks(&view, &ranks, &dense, next);
        let mut order = self.places(&view);
        order.sort_by_cached_key(|lane| (self.class(*lane), self.key(&view, *lane)));
        let mut best = self.reordered(&view, &order);
        let alike = |sight: &mut Self, a: u8, b: u8| {
            sight.class(a) == sight.class(b) && sight.key(&view, a) == sight.key(&view, b)
        };
        // Lanes that stand at the same place can still differ in what they have left with the services.
        for at in 1..order.len() {
            if alike(self, order[at - 1], order[at]) {
                let mut swapped = order.clone();
                swapped.swap(at - 1, at);
                let other = self.reordered(&view, &swapped);
                let words = |sight: &Self, view: &View| sight.graph.memo.services_in_words(view.0.at.services);
                if other != best && words(self, &other) < words(self, &best) {
                    best = other;
                    order = swapped;
                }
            }
        }
        best
    }

    /// Where a lane stands, as a number that is the same in every process.
    fn key(&mut self, view: &View, lane: u8) -> (u64, Vec<u64>) {
        let its = view.0.lanes[usize::from(lane)];
        let node = if its.is_ended() { 0 } else { self.node_key(its.node) };
        let bits = Lane { node: 0, ..its }.bits();
        let of_flights = self.graph.memo.flights(view.0.at.flights).iter().filter(|flight| flight.lane == lane);
        let flights = of_flights.map(|flight| {
            let op = flight.op.map_ids(&mut |kind, id| if kind == IdKind::Asked { asker_of(id).2.into() } else { id });
            hash(format!("{op:?}").bytes())
        });
        (hash(node.to_le_bytes().into_iter().chain(bits.to_le_bytes())), flights.collect())
    }

    pub(super) fn node_key(&mut self, node: u16) -> u64 {
        if let Some(key) = self.keys.get(&node) {
            return *key;
        }
        let key = match self.graph.tree.before(node) {
            Some((before, outcome)) => {
                let before = self.node_key(before);
                hash(before.to_le_bytes().into_iter().chain(format!("{outcome:?}").bytes()))
            }
            None => hash(node.to_le_bytes()),
        };
        self.keys.insert(node, key);
        key
    }

    fn reordered(&mut self, view: &View, order: &[u8]) -> View {
        let (mut taken, mut names) = (Vec::new(), Names::default());
        for lane in order {
            let place = self.free_place(&taken, self.class(*lane)).expect("as many as there were");
            taken.push(place);
            names.lanes.push((*lane, place));
        }
        let mut flights = self.flights(view);
        let new_place = |lane: u8| names.lanes.iter().find(|(old, _)| *old == lane).map(|(_, new)| *new);
        flights.sort_by_key(|flight| new_place(flight.lane));
        names.sessions = names.lanes.iter().map(|(old, new)| (Session(*old), Session(*new))).collect();
        names.sessions.extend(flights.iter().map(|flight| flight.session).zip((FLIGHTS..).map(Session)));
        self.named(view, &names, flights)
    }

    /// The same with other names of lanes and connections, and with these requests in flight, which have their old names.
    pub fn named(&mut self, view: &View, names: &Names, flights: Vec<Flight>) -> View {
        let mut named = *view;
        for (old, _) in &names.lanes {
            named.0.lanes[usize::from(*old)] = Lane::ASLEEP;
        }
        for (old, new) in &names.lanes {
            named.0.lanes[usize::from(*new)] = view.0.lanes[usize::from(*old)];
        }
        named.0.at.services = self.graph.memo.name(view.0.at.services, names);
        let flights = flights.into_iter().map(|flight| names.flight(flight)).collect();
        named.0.at.flights = self.graph.memo.flights_number(flights);
        named
    }
}
