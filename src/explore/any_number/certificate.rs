//! A proof as lines that anybody can check again, and the check, which searches for nothing.
//!
//! Each view is written down by where it comes from and by a digest. The check makes the views again, in their order, and then looks
//! whether a step leads out of them, and whether one of them is bad. It has the rules of a step and what is seen of a state in common
//! with the search, and nothing else.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::joining::Joint;
use super::search::{ViewOrigin, Views, With, subsets};
use super::sight::{Lookout, Move, NoView, View};
use super::words::{digest_of, hash};
use crate::explore::schedule::{Fate, Schedule, Step};
use crate::service::contract::lane_name;

/// The views of a proof, a line each, in the order in which they were come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProofLines {
    /// How many lanes are in sight at once.
    pub size: usize,
    pub views: Vec<String>,
    /// A digest of what the strategy does.
    pub strategy: String,
    /// The places in it from which there is a way to an operation with a token, as digests; none if tokens do not matter.
    pub tokens: Option<Vec<String>>,
}

impl ProofLines {
    /// Whether tokens matter.
    pub(super) fn has_ranks(&self) -> bool {
        self.tokens.is_some()
    }
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    #[error(
        "view {view} is not what the certificate says: it was altered, or the strategy or a model is another one by now"
    )]
    OtherView { view: usize },
    #[error("view {view} cannot be read: `{line}`")]
    Unreadable { view: usize, line: String },
    #[error("view {view} shows what is to be ruled out")]
    Bad { view: usize },
    #[error("a step leads from view {view} to one that is not there")]
    LeadsOut { view: usize },
    #[error("the strategy does something else than when it was proved")]
    OtherStrategy,
    #[error("it says that it rules out something else than what the strategy does not tolerate")]
    OtherClaim,
    #[error("{0}")]
    Halted(String),
}

impl From<NoView> for Unproved {
    fn from(halt: NoView) -> Self {
        Unproved::Halted(halt.to_string())
    }
}

impl From<crate::service::modelled::OutOfSight> for Unproved {
    fn from(why: crate::service::modelled::OutOfSight) -> Self {
        Unproved::Halted(why.to_string())
    }
}

fn digest(sight: &mut Lookout<'_>, view: &View) -> String {
    format!("{:016x}", hash(sight.in_words(view).bytes()))
}

/// The lanes of a set of bits, by their letters.
fn letters(bits: u8) -> String {
    (0..8).filter(|lane| bits & 1 << lane != 0).map(lane_name).collect()
}

fn lane_of(letter: &str) -> Option<u8> {
    let byte = *letter.as_bytes().first().filter(|_| letter.len() == 1)?;
    byte.checked_sub(b'a').filter(|lane| *lane < 8)
}

impl Move {
    /// In the notation of schedules: a new lane with a `+` before it, `=` where it gives way, and `-` where the lane is gone.
    fn in_words(self) -> String {
        let new = if self.is_new { "new " } else { "" };
        match (self.lane, self.fate) {
            (None, _) => "gone".to_owned(),
            (Some(lane), Some(fate)) => format!("{new}{}", Step { lane, fate }),
            (Some(lane), None) => format!("{new}{}=", lane_name(lane)),
        }
    }

    fn parse(words: &str) -> Option<Self> {
        if words == "gone" {
            return Some(Move { lane: None, is_new: false, fate: Some(Fate::Expires) });
        }
        let (is_new, step) = words.strip_prefix("new ").map_or((false, words), |step| (true, step));
        if let Some(lane) = step.strip_suffix('=') {
            return Some(Move { lane: Some(lane_of(lane)?), is_new, fate: None });
        }
        let &[Step { lane, fate }] = step.parse::<Schedule>().ok()?.0.as_slice() else { return None };
        Some(Move { lane: Some(lane), is_new, fate: Some(fate) })
    }
}

impl ViewOrigin {
    fn in_words(&self) -> String {
        let with = self.with.map_or(String::new(), |With { view, common, newcomer, way }| {
            let common = common.map_or(String::new(), |(own, its)| format!(" {}={}", lane_name(own), lane_name(its)));
            format!(" with {view}.{}{common} #{way}", lane_name(newcomer))
        });
        format!("{}{with}: {} keep {}", self.from, self.made.in_words(), letters(self.keep))
    }

    fn parse(words: &str) -> Option<Self> {
        let (from, then) = words.split_once(": ")?;
        let (made, keep) = then.split_once(" keep ").or_else(|| then.strip_suffix(" keep").map(|made| (made, "")))?;
        let keep = keep.split("").filter(|letter| !letter.is_empty());
        let keep = keep.map(|letter| lane_of(letter).map(|lane| 1 << lane)).sum::<Option<u8>>()?;
        let (from, with) = match from.split_once(" with ") {
            None => (from, None),
            Some((from, with)) => {
                let parts: Vec<&str> = with.split(' ').collect();
                let (other, common, way) = match *parts.as_slice() {
                    [other, way] => (other, None, way),
                    [other, common, way] => {
                        let (own, its) = common.split_once('=')?;
                        (other, Some((lane_of(own)?, lane_of(its)?)), way)
                    }
                    _ => return None,
                };
                let (view, newcomer) = other.split_once('.')?;
                let way = way.strip_prefix('#')?.parse().ok()?;
                (from, Some(With { view: view.parse().ok()?, common, newcomer: lane_of(newcomer)?, way }))
            }
        };
        Some(ViewOrigin { from: from.parse().ok()?, with, made: Move::parse(made)?, keep })
    }
}

/// The views of a search as lines.
pub(super) fn lines(sight: &mut Lookout<'_>, views: &Views) -> ProofLines {
    let line = |(view, origin): (&View, &Option<ViewOrigin>)| {
        let from = origin.map_or("start".to_owned(), |origin| origin.in_words());
        format!("{} {from}", digest(sight, view))
    };
    let lines = views.known.iter().map(line).collect();
    let tokens = sight.graph.memo.tokens.then(|| sight.live.iter().map(|key| format!("{key:016x}")).collect());
    ProofLines { size: views.size, views: lines, strategy: digest_of(&sight.strategy_places()), tokens }
}

/// Which of the views somebody checks of whom there are so many.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckShare {
    pub number: usize,
    pub of: usize,
}

impl CheckShare {
    fn has(self, view: usize) -> bool {
        view % self.of == self.number
    }
}

/// Checks a share of the lines of a proof again. Gives what the strategy does, as far as the check has come to it.
///
/// # Errors
/// [`Unproved`]: what is wrong with them.
pub(super) fn check(sight: &mut Lookout<'_>, lines: &ProofLines, share: CheckShare) -> Result<BTreeSet<u64>, Unproved> {
    let places = lines.tokens.iter().flatten().map(|key| u64::from_str_radix(key, 16));
    sight.live = places.collect::<Result<_, _>>().map_err(|_| Unproved::OtherStrategy)?;
    let views = made_again(sight, lines)?;
    let known: FxHashMap<View, usize> = views.iter().copied().zip(0..).collect();
    for (number, view) in views.iter().enumerate().filter(|(number, _)| share.has(*number)) {
        if !sight.bad(view)?.is_empty() {
            return Err(Unproved::Bad { view: number });
        }
        // What is seen by fewer lanes is seen of what is seen by more: so it need not be looked for after each step.
        stays(sight, &known, view, lines.size, number)?;
        for (_, to) in sight.moves(view, true)? {
            stays(sight, &known, &to, lines.size, number)?;
        }
    }
    match lines.size {
        1 => pairs_stay(sight, &views, &known, share)?,
        _ => triples_stay(sight, &views, &known, share)?,
    }
    let has_more = sight.has_learned || sight.graph.memo.tokens_needed;
    if has_more { Err(Unproved::OtherStrategy) } else { Ok(sight.strategy_places()) }
}

/// The views that the lines tell of.
fn made_again(sight: &mut Lookout<'_>, lines: &ProofLines) -> Result<Vec<View>, Unproved> {
    let mut views: Vec<View> = Vec::new();
    if lines.views.is_empty() {
        return Err(Unproved::OtherView { view: 0 });
    }
    for (number, line) in lines.views.iter().enumerate() {
        let unreadable = || Unproved::Unreadable { view: number, line: line.clone() };
        let (written, from) = line.split_once(' ').ok_or_else(unreadable)?;
        let view = if number == 0 {
            sight.start()
        } else {
            let origin = ViewOrigin::parse(from).ok_or_else(unreadable)?;
            come_to(sight, &views, &origin)?.ok_or(Unproved::OtherView { view: number })?
        };
        if digest(sight, &view) != written {
            return Err(Unproved::OtherView { view: number });
        }
        views.push(view);
    }
    Ok(views)
}

/// What an origin leads to.
fn come_to(sight: &mut Lookout<'_>, views: &[View], origin: &ViewOrigin) -> Result<Option<View>, Unproved> {
    let Some(from) = views.get(origin.from) else { return Ok(None) };
    let state = match origin.with {
        None => *from,
        Some(With { view, common, newcomer, way }) => {
            let Some(other) = views.get(view) else { return Ok(None) };
            let joined = sight.join(Joint { view: from, other, common, newcomer })?;
            let Some(state) = joined.get(way) else { return Ok(None) };
            *state
        }
    };
    let moves = match (origin.made.is_new, origin.made.lane) {
        (false, Some(lane)) => sight.moves_of(&state, lane)?,
        _ => sight.moves(&state, true)?,
    };
    match moves.into_iter().find(|(made, _)| *made == origin.made) {
        Some((_, to)) => Ok(Some(sight.project(&to, origin.keep)?)),
        None => Ok(None),
    }
}

fn stays(
    sight: &mut Lookout<'_>,
    known: &FxHashMap<View, usize>,
    to: &View,
    size: usize,
    from: usize,
) -> Result<(), Unproved> {
    for keep in subsets(&sight.places(to), size) {
        if !known.contains_key(&sight.project(to, keep)?) {
            return Err(Unproved::LeadsOut { view: from });
        }
    }
    Ok(())
}

/// Whether every step beside another lane stays among the views, where each shows one lane. Where the other lane stands in its strategy
/// makes no difference to what becomes of the rest, so that it is tried once for all of them.
fn pairs_stay(
    sight: &mut Lookout<'_>,
    views: &[View],
    known: &FxHashMap<View, usize>,
    share: CheckShare,
) -> Result<(), Unproved> {
    let mut by_rest: FxHashMap<View, Vec<(View, u8)>> = FxHashMap::default();
    for view in views {
        if let [lane] = *sight.places(view) {
            by_rest.entry(sight.project(view, 0)?).or_default().push((*view, lane));
        }
    }
    for alike in by_rest.values() {
        let mut stands: FxHashMap<View, Vec<u16>> = FxHashMap::default();
        for (view, lane) in alike {
            let (mut anywhere, place) = (*view, usize::from(*lane));
            anywhere.0.lanes[place].node = 0;
            stands.entry(anywhere).or_default().push(view.0.lanes[place].node);
        }
        for (view, lane) in alike.iter().filter(|(view, _)| share.has(known[view])) {
            for (stand, nodes) in &stands {
                if !stays_beside(sight, known, (view, *lane), (stand, nodes))? {
                    return Err(Unproved::LeadsOut { view: known[view] });
                }
            }
        }
    }
    Ok(())
}

/// Whether every step of a view's lane stays among the views, beside a lane that stands anywhere in its strategy, which is at one of these
/// nodes.
fn stays_beside(
    sight: &mut Lookout<'_>,
    known: &FxHashMap<View, usize>,
    (view, lane): (&View, u8),
    (stand, nodes): (&View, &[u16]),
) -> Result<bool, Unproved> {
    let newcomer = sight.places(stand)[0];
    for whole in sight.join(Joint { view, other: stand, common: None, newcomer })? {
        for (_, to) in sight.moves_of(&whole, lane)? {
            for place in sight.places(&to) {
                let mut seen = sight.project(&to, 1 << place)?;
                let stays = if place == lane {
                    known.contains_key(&seen)
                } else {
                    let kept = usize::from(newcomer);
                    nodes.iter().all(|node| {
                        seen.0.lanes[kept].node = *node;
                        known.contains_key(&seen)
                    })
                };
                if !stays {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Whether every step of three lanes of which each two are a view stays among the views.
fn triples_stay(
    sight: &mut Lookout<'_>,
    views: &[View],
    known: &FxHashMap<View, usize>,
    share: CheckShare,
) -> Result<(), Unproved> {
    let mut by_rest: FxHashMap<View, Vec<(View, u8, u8)>> = FxHashMap::default();
    for view in views {
        if let [first, second] = *sight.places(view) {
            for (kept, left_out) in [(first, second), (second, first)] {
                by_rest.entry(sight.project(view, 1 << kept)?).or_default().push((*view, kept, left_out));
            }
        }
    }
    for alike in by_rest.values() {
        for (view, kept, _) in alike.iter().filter(|(view, ..)| share.has(known[view])) {
            for (other, its, newcomer) in alike {
                let joint = Joint { view, other, common: Some((*kept, *its)), newcomer: *newcomer };
                for whole in sight.join(joint)? {
                    let places = sight.places(&whole);
                    let mut parts = subsets(&places, 2).filter(|keep| keep.count_ones() == 2);
                    if parts.try_fold(true, |all, keep| {
                        Ok::<_, Unproved>(all && known.contains_key(&sight.project(&whole, keep)?))
                    })? {
                        for (_, to) in sight.moves(&whole, false)? {
                            stays(sight, known, &to, 2, known[view])?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
