//! What is thought of what has been seen, without a history: as strict as the checks or stricter, and never milder.

use super::sight::{Lookout, NoView, View};
use crate::explore::Violations;
use crate::explore::observations::{Seen, Sight};
use crate::explore::rules::Lane;
use crate::terms::{Request, Role, Shape, Trouble, Violation};

/// The violations that are looked for, and what they are judged by.
#[derive(Debug, Clone)]
pub(in crate::explore) struct ViewJudge {
    pub violations: Violations,
    pub shape: Shape,
    /// The roles of the stores that keep effects.
    pub stores: &'static [Role],
    pub requests: Vec<Request>,
}

impl ViewJudge {
    /// The violations that are there, and stay.
    pub fn lasting(&self, seen: &Seen) -> Violations {
        self.of_each(|n, request| {
            let twice = Role::ALL.iter().any(|role| seen.effects(n, *role) > 1);
            let applied = Role::ALL.iter().any(|role| seen.effects(n, *role) > 0);
            let amount = i64::from(request.effect.amount);
            let as_asked = match self.shape {
                Shape::Account => !seen.is_unchained(n),
                Shape::Entry => true,
                Shape::Register => seen.given(n).iter().all(|balance| *balance == amount || *balance == 0),
            };
            vec![
                (Violation::Duplicate, twice && self.shape != Shape::Register),
                (Violation::Denied, applied && seen.is_refused(n)),
                (Violation::Wrong, seen.has_other_effect(n) || !as_asked),
                (Violation::Deviating, seen.is_deviating(n)),
                (Violation::Overlap, seen.is_overlapping(n)),
                (Violation::Stale, seen.is_stale()),
                (Violation::Reverted, seen.comes_back() && self.shape != Shape::Entry),
            ]
        })
    }

    /// The violations that are there in the end, when everything has settled and whoever has no answer has tried once more.
    pub fn in_the_end(&self, seen: &Seen) -> Violations {
        self.of_each(|n, _| {
            let absent = self.stores.iter().any(|role| seen.effects(n, *role) == 0);
            let (success, refused, last) = (seen.is_answered(n), seen.is_refused(n), seen.last_trouble(n));
            // What an effect was written over is not there either.
            let is_overwritten = |n| self.shape == Shape::Account && seen.is_unchained(n);
            let absent = absent || success && (0..).zip(&self.requests).any(|(n, _)| is_overwritten(n));
            let failed = matches!(last, Some(Trouble::Failed(_) | Trouble::Unknown));
            vec![
                (Violation::Lost, absent && (success || failed)),
                (Violation::Refused, absent && refused),
                (Violation::Stuck, last == Some(Trouble::InProgress)),
                (Violation::Wrong, !absent && seen.has_odd_answer(n)),
            ]
        })
    }

    fn of_each(&self, of: impl Fn(u8, &Request) -> Vec<(Violation, bool)>) -> Violations {
        let found = (0..).zip(&self.requests).flat_map(|(n, request)| of(n, request));
        let found: Violations = found.filter(|(_, is_there)| *is_there).map(|(violation, _)| violation).collect();
        found.among(self.violations)
    }
}

impl Lookout<'_> {
    /// The violations that a view shows: what lasts, and what is missing in the end where nobody is at work any more.
    pub fn bad(&mut self, view: &View) -> Result<Violations, NoView> {
        let seen = self.graph.memo.seen(view.0.at.seen).clone();
        let lasting = self.wanted.lasting(&seen);
        if lasting != Violations::default()
            || !self.places(view).is_empty()
            || self.graph.memo.names(view.0.at.services, self.another.lane)
        {
            return Ok(lasting);
        }
        let mut end = *view;
        end.0.lanes[usize::from(self.another.lane)] = Lane::ASLEEP;
        for lane in self.graph.bound.turns() {
            end.0.lanes[usize::from(lane)].attempt = 1;
        }
        for request in 0..self.graph.bound.requests.max(1) {
            if !seen.is_answered(request) && !seen.is_refused(request) {
                end.0.at.seen = self.graph.memo.see(end.0.at.seen, Sight::GaveUp { request });
            }
        }
        let settled = self.graph.settle(&end.0)?;
        let seen = self.graph.memo.seen(settled).clone();
        Ok(self.wanted.lasting(&seen).and(self.wanted.in_the_end(&seen)))
    }
}
