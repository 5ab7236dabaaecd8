//! The search for a set of views that nothing leads out of.

use indexmap::{IndexMap, IndexSet};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::joining::Joint;
use super::sight::{Lookout, Move, NoView, View};
use crate::explore::{Violations, Watch};

/// Where a view comes from: a step from a state, of which some lanes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ViewOrigin {
    /// The view that the state looks like, by number.
    pub from: usize,
    /// The other one, if there are two.
    pub with: Option<With>,
    pub made: Move,
    /// The lanes that are kept, as bits.
    pub keep: u8,
}

/// Another view that a state looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct With {
    /// Its number.
    pub view: usize,
    /// The lane that both have in common, in one and in the other.
    pub common: Option<(u8, u8)>,
    /// Its lane that is new.
    pub newcomer: u8,
    /// Which of the states it is that look like both.
    pub way: usize,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ViewsFound {
    /// Nothing leads out of the views, and none is bad.
    Closed,
    /// The last view is bad.
    Bad(Violations),
    /// There are more views than were to be looked at.
    TooMany,
    /// The search was stopped.
    Stopped,
    /// Something was learned by which what was seen before looks different.
    Learned,
}

/// The views that were come to, each with its origin; the first has none.
pub(super) struct Views {
    /// How many lanes are in sight at once.
    pub size: usize,
    pub known: IndexMap<View, Option<ViewOrigin>, FxBuildHasher>,
    /// The first bad one, if there is one.
    bad: Option<Violations>,
}

/// More views than this are no proof that anybody waits for.
const MOST_VIEWS: usize = 10_000;

/// The subsets of these lanes with at most so many of them, as bits.
pub(super) fn subsets(places: &[u8], most: usize) -> impl Iterator<Item = u8> {
    let all = places.iter().fold(0_u8, |bits, lane| bits | 1 << lane);
    (0..=all).filter(move |bits| bits & !all == 0 && bits.count_ones() as usize <= most)
}

/// The lanes of a view of two, one left out after the other: the lane that is kept, and the one that is not.
fn rests(places: &[u8]) -> Vec<(u8, u8)> {
    match *places {
        [first, second] => vec![(first, second), (second, first)],
        _ => Vec::new(),
    }
}

impl Views {
    /// Looks for every view of at most so many lanes, one or two.
    ///
    /// # Errors
    /// [`NoView`] if there is a state that nothing can be said about.
    pub fn search(sight: &mut Lookout<'_>, size: usize, watch: &mut dyn Watch) -> Result<(Self, ViewsFound), NoView> {
        let mut views = Views { size, known: IndexMap::default(), bad: None };
        views.add(sight, sight.start(), None)?;
        let (mut singles, mut doubles) = (Singles::default(), Doubles::default());
        let mut at = 0;
        while at < views.known.len() && views.bad.is_none() {
            if at % 64 == 0 && !watch.goes_on(views.known.len() as u64, 0) {
                return Ok((views, ViewsFound::Stopped));
            }
            if sight.has_learned {
                return Ok((views, ViewsFound::Learned));
            }
            if views.known.len() > MOST_VIEWS {
                return Ok((views, ViewsFound::TooMany));
            }
            let view = views.view(at);
            views.steps(sight, &view, (at, None), true)?;
            match *sight.places(&view) {
                [lane] if size == 1 => singles.go_on(&mut views, sight, (at, lane))?,
                [first, second] => doubles.go_on(&mut views, sight, at, [first, second])?,
                _ => {}
            }
            at += 1;
        }
        let found = match views.bad {
            _ if sight.has_learned => ViewsFound::Learned,
            Some(bad) => ViewsFound::Bad(bad),
            None => ViewsFound::Closed,
        };
        Ok((views, found))
    }

    /// A view by its number.
    pub fn view(&self, number: usize) -> View {
        *self.known.get_index(number).expect("it is known").0
    }

    /// Whether everything that is seen of a state is known.
    pub fn is_known_in_part(&self, sight: &mut Lookout<'_>, whole: &View) -> Result<bool, NoView> {
        for keep in subsets(&sight.places(whole), self.size).filter(|keep| keep.count_ones() as usize == self.size) {
            if !self.known.contains_key(&sight.project(whole, keep)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, sight: &mut Lookout<'_>, view: View, origin: Option<ViewOrigin>) -> Result<(), NoView> {
        if self.bad.is_some() || self.known.contains_key(&view) {
            return Ok(());
        }
        self.known.insert(view, origin);
        let bad = sight.bad(&view)?;
        self.bad = (!bad.is_empty()).then_some(bad);
        Ok(())
    }

    /// Adds what every step from a state leads to.
    fn steps(
        &mut self,
        sight: &mut Lookout<'_>,
        from: &View,
        (number, with): (usize, Option<With>),
        may_begin: bool,
    ) -> Result<(), NoView> {
        for (made, to) in sight.moves(from, may_begin)? {
            for keep in subsets(&sight.places(&to), self.size) {
                let view = sight.project(&to, keep)?;
                self.add(sight, view, Some(ViewOrigin { from: number, with, made, keep }))?;
            }
        }
        Ok(())
    }
}

/// Views of one lane, put together in pairs. Where the other lane of a pair stands in its strategy says nothing about a step of the one; so
/// of views that differ in nothing else, one is put together with others, and what comes of it holds for all.
#[derive(Default)]
struct Singles {
    /// By what is left of a view without its lane.
    alike: FxHashMap<View, Alike>,
}

/// Views that look the same without their lanes.
#[derive(Default)]
struct Alike {
    /// The numbers of the views, with their lanes.
    views: Vec<(usize, u8)>,
    stands: IndexMap<View, Stand, FxBuildHasher>,
}

/// Views that differ in where their lane stands in its strategy, and in nothing else.
#[derive(Default)]
struct Stand {
    views: Vec<(usize, u8)>,
    /// What steps of others lead to, the lane being anywhere.
    seen: IndexSet<View, FxBuildHasher>,
    origins: Vec<ViewOrigin>,
}

impl Singles {
    fn go_on(&mut self, views: &mut Views, sight: &mut Lookout<'_>, (at, lane): (usize, u8)) -> Result<(), NoView> {
        let view = views.view(at);
        let rest = sight.project(&view, 0)?;
        let alike = self.alike.entry(rest).or_default();
        alike.views.push((at, lane));
        let stands = alike.stands.len();
        let entry = alike.stands.entry(anywhere(view, lane));
        let (place, is_new) = (entry.index(), entry.index() == stands);
        let stand = entry.or_default();
        stand.views.push((at, lane));
        for n in 0..stand.seen.len() {
            let mut origin = stand.origins[n];
            origin.with = origin.with.map(|with| With { view: at, newcomer: lane, ..with });
            let seen = standing(stand.seen[n], view, lane);
            views.add(sight, seen, Some(origin))?;
        }
        for n in 0..alike.stands.len() {
            alike.pair(views, sight, (at, lane), n)?;
        }
        if is_new {
            for n in 0..alike.views.len() - 1 {
                alike.pair(views, sight, alike.views[n], place)?;
            }
        }
        Ok(())
    }
}

impl Alike {
    /// Every step of a view's lane beside one that stands anywhere.
    fn pair(
        &mut self,
        views: &mut Views,
        sight: &mut Lookout<'_>,
        (at, lane): (usize, u8),
        n: usize,
    ) -> Result<(), NoView> {
        let stand = &mut self.stands[n];
        let (other, newcomer) = stand.views[0];
        let (view, other_view) = (views.view(at), views.view(other));
        let joined = sight.join(Joint { view: &view, other: &other_view, common: None, newcomer })?;
        for (way, whole) in joined.iter().enumerate() {
            let beside = sight.places(whole).into_iter().find(|place| *place != lane).expect("there are two");
            for (made, to) in sight.moves_of(whole, lane)? {
                let with = Some(With { view: other, common: None, newcomer, way });
                for keep in subsets(&sight.places(&to), 1) {
                    let seen = sight.project(&to, keep)?;
                    let origin = ViewOrigin { from: at, with, made, keep };
                    if keep != 1 << beside {
                        views.add(sight, seen, Some(origin))?;
                        continue;
                    }
                    let kept = sight.places(&seen)[0];
                    if !stand.seen.insert(anywhere(seen, kept)) {
                        continue;
                    }
                    stand.origins.push(origin);
                    for (other, newcomer) in stand.views.iter().copied() {
                        let with = Some(With { view: other, common: None, newcomer, way });
                        let seen = standing(seen, views.view(other), newcomer);
                        views.add(sight, seen, Some(ViewOrigin { with, ..origin }))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A view whose lane stands anywhere in its strategy.
fn anywhere(mut view: View, lane: u8) -> View {
    view.0.lanes[usize::from(lane)].node = 0;
    view
}

/// A view whose lane stands in its strategy where that of another does.
fn standing(mut view: View, as_in: View, lane: u8) -> View {
    view.0.lanes[usize::from(lane)].node = as_in.0.lanes[usize::from(lane)].node;
    view
}

/// Views of two lanes, put together where they have one in common.
#[derive(Default)]
struct Doubles {
    /// The views by what is left of them without one of their lanes: the view's number, the lane that is kept, the one that is not.
    by_rest: FxHashMap<View, Vec<(usize, u8, u8)>>,
}

impl Doubles {
    fn go_on(&mut self, views: &mut Views, sight: &mut Lookout<'_>, at: usize, places: [u8; 2]) -> Result<(), NoView> {
        let view = views.view(at);
        for (kept, left_out) in rests(&places) {
            let rest = sight.project(&view, 1 << kept)?;
            self.by_rest.entry(rest).or_default().push((at, kept, left_out));
            for n in 0..self.by_rest[&rest].len() {
                let (other, its, newcomer) = self.by_rest[&rest][n];
                let (other_view, common) = (views.view(other), Some((kept, its)));
                let joined = sight.join(Joint { view: &view, other: &other_view, common, newcomer })?;
                for (way, whole) in joined.iter().enumerate() {
                    if views.is_known_in_part(sight, whole)? {
                        views.steps(sight, whole, (at, Some(With { view: other, common, newcomer, way })), false)?;
                    }
                }
            }
        }
        Ok(())
    }
}
