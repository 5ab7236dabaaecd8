//! For any number: whether a strategy breaks with however many deliveries, retries and faults.
//!
//! Lanes are alike, and the services know little of each: so a few lanes at a time say all. A *view* is the state of the services
//! with some of the lanes; what the others hold stays held, by another. The search begins with the view before anything happened, and
//! adds what each step leads to: from a view, and from every state with one lane more of which each part is a known view. When nothing
//! is new and no view is bad, no state with any number of lanes is.
//!
//! Source: P. Abdulla, F. Haziza, L. Holík, "All for the price of few (parameterized verification through view abstraction)",
//! VMCAI 2013. The services' models say what is seen without a lane ([`Model::forget`](crate::service::modelled::Model::forget)).

mod bad;
mod certificate;
mod joining;
mod search;
mod sight;
mod words;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::bound::Bound;
use super::limits::{Limits, Watch};
use super::shortest::{Minimal, shortest};
use super::violations::Violations;
use super::{ExploreError, Flaws};
use crate::strategy::Strategy;
use crate::terms::Violation;
use certificate::CheckShare;
pub use certificate::{ProofLines, Unproved};

use search::{Views, ViewsFound};
use sight::{Lookout, NoView};

/// What is known of a strategy for any number of lanes, retries and faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyNumber {
    pub answer: ForAny,
    /// How many lanes are in sight at once.
    pub size: usize,
    /// How many views there are.
    pub views: usize,
    pub took: Duration,
}

/// The answer for any number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForAny {
    /// None of these violations, ever.
    Proved { rules_out: Violations, lines: ProofLines },
    /// The shortest schedules that break it, in the smallest bound in which there are some.
    Broken(Vec<Minimal>),
    /// Neither: why, and the bounds within which no schedule was found.
    NotProved { why: String, searched: Vec<Bound> },
}

/// The violations that decide: those that a strategy does not tolerate, as far as they can be told from what is seen. Here no client ever
/// stops trying, and no id comes with another body.
fn wanted(strategy: &dyn Strategy, bound: &Bound) -> Violations {
    let claim = bound.claim_of(strategy);
    let told = |violation: &Violation| !matches!(violation, Violation::Abandoned | Violation::Late | Violation::Mixed);
    Violation::ALL.into_iter().filter(|violation| claim.counts(*violation) && told(violation)).collect()
}

/// Whether a strategy breaks, with any number of lanes, retries and faults of the bound's kinds: its requests and its store count, and
/// its lanes, retries and faults do not.
///
/// # Errors
/// [`ExploreError`] if it cannot be explored at all.
pub fn any_number(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<AnyNumber, ExploreError> {
    let began = Instant::now();
    let bound = bound.for_any_number(strategy);
    let (mut searched, mut why, mut known) = (Vec::new(), String::new(), (0, 0));
    // Of two requests there are not places enough for three lanes each.
    let largest = if bound.requests > 1 { 1 } else { LARGEST };
    for size in 1..=largest {
        let (said, views) = match views_of(strategy, bound, flaws, size, watch) {
            Ok((Said::Closed(lines), views)) => {
                let answer = ForAny::Proved { rules_out: wanted(strategy, &bound), lines };
                return Ok(AnyNumber { answer, size, views, took: began.elapsed() });
            }
            Ok((Said::Otherwise(found), views)) => (found.why(views), views),
            Err(NoView::Explore(error)) => (error.to_string(), 0),
            Err(halt) => (halt.to_string(), 0),
        };
        (why, known) = (said, (size, views));
        if size == 1 {
            let (bounds, minimal) = schedules(strategy, bound, flaws, limits, watch)?;
            if !minimal.is_empty() {
                return Ok(AnyNumber { answer: ForAny::Broken(minimal), size, views, took: began.elapsed() });
            }
            searched = bounds;
        }
    }
    let (size, views) = known;
    Ok(AnyNumber { answer: ForAny::NotProved { why, searched }, size, views, took: began.elapsed() })
}

/// Whether a strategy is proved with one lane in sight and no more views than these.
#[cfg(feature = "lab")]
pub(crate) fn is_proved_within(strategy: &dyn Strategy, bound: Bound, most: u64) -> bool {
    struct Within(u64);
    impl Watch for Within {
        fn goes_on(&mut self, views: u64, _: u128) -> bool {
            views <= self.0
        }
    }
    let bound = bound.for_any_number(strategy);
    let found = views_of(strategy, bound, Flaws::default(), 1, &mut Within(most));
    matches!(found, Ok((Said::Closed(_), _)))
}

/// Checks the lines of a proof of a strategy again, as [`any_number`] gives them for the same bound. Nothing is searched for.
///
/// Gives the violations that it rules out.
///
/// # Errors
/// [`Unproved`]: what is wrong with them.
pub fn check_proof(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    lines: &ProofLines,
) -> Result<Violations, Unproved> {
    let bound = bound.for_any_number(strategy);
    let wanted = wanted(strategy, &bound);
    let of =
        if lines.views.len() < FEW_VIEWS { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let check = |number: usize| {
        let sight = Lookout::new(strategy, bound, flaws, lines.has_ranks(), wanted);
        let mut sight = sight.map_err(|error| Unproved::Halted(error.to_string()))?;
        certificate::check(&mut sight, lines, CheckShare { number, of })
    };
    let check = &check;
    let checked: Result<_, Unproved> = std::thread::scope(|threads| {
        let others: Vec<_> = (1..of).map(|number| threads.spawn(move || check(number))).collect();
        let mut places = check(0)?;
        for other in others {
            let its = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            places.extend(its);
        }
        Ok(places)
    });
    if words::digest_of(&checked?) == lines.strategy { Ok(wanted) } else { Err(Unproved::OtherStrategy) }
}

/// So few views are checked before others have begun to help.
const FEW_VIEWS: usize = 500;

/// As many lanes are in sight at once, at the most.
const LARGEST: usize = 2;

/// What a search for views comes to: the proof, or no proof.
enum Said {
    Closed(ProofLines),
    Otherwise(ViewsFound),
}

impl ViewsFound {
    fn why(&self, views: usize) -> String {
        match self {
            ViewsFound::Closed => "it is proved".to_owned(),
            ViewsFound::Bad(bad) => {
                let names = bad.iter().map(Violation::name).collect::<Vec<_>>().join(", ");
                format!("view {views} shows {names}, and no schedule that was found does")
            }
            ViewsFound::TooMany => {
                format!("there are more than {views} views, as where something is counted without end")
            }
            ViewsFound::Stopped | ViewsFound::Learned => "it was stopped".to_owned(),
        }
    }
}

fn views_of(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    size: usize,
    watch: &mut dyn Watch,
) -> Result<(Said, usize), NoView> {
    if bound.actors > 0 {
        return Err(NoView::Unmodelled("what works beside a delivery is not seen apart from it".to_owned()));
    }
    if bound.residents > 2 {
        return Err(sight::TOO_MANY.into());
    }
    for tokens in [false, true] {
        let mut sight = Lookout::new(strategy, bound, flaws, tokens, wanted(strategy, &bound))?;
        let searched = search(&mut sight, size, watch);
        if !tokens && sight.graph.memo.tokens_needed {
            continue;
        }
        let (views, found) = searched?;
        let said = match found {
            ViewsFound::Closed => Said::Closed(certificate::lines(&mut sight, &views)),
            found => Said::Otherwise(found),
        };
        return Ok((said, views.known.len()));
    }
    unreachable!("tokens matter already")
}

/// Searches until nothing new is learned of what matters.
fn search(sight: &mut Lookout<'_>, size: usize, watch: &mut dyn Watch) -> Result<(Views, ViewsFound), NoView> {
    loop {
        let (views, found) = Views::search(sight, size, watch)?;
        if found != ViewsFound::Learned {
            return Ok((views, found));
        }
        sight.look_again();
    }
}

/// The bounds within which a schedule is looked for, the smallest first.
fn bounds(bound: Bound) -> Vec<Bound> {
    let faults = |most: u8| if bound.faults == 0 { 0 } else { most };
    [(2, 1, 2), (3, 0, 2), (4, 0, 1)]
        .map(|(lanes, retries, most)| Bound { lanes, retries, faults: faults(most), ..bound })
        .into()
}

fn schedules(
    strategy: &dyn Strategy,
    bound: Bound,
    flaws: Flaws,
    limits: Limits,
    watch: &mut dyn Watch,
) -> Result<(Vec<Bound>, Vec<Minimal>), ExploreError> {
    let mut searched = Vec::new();
    for bound in bounds(bound) {
        let found = shortest(strategy, bound, flaws, wanted(strategy, &bound), limits, watch)?;
        searched.push(bound);
        if !found.minimal.is_empty() {
            return Ok((searched, found.minimal));
        }
    }
    Ok((searched, Vec::new()))
}
