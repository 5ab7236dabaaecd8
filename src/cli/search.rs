//! `oncelab explore` on real backends: for strategies with SQL of their own.

use std::process::ExitCode;

use super::explore::Explore;
use super::mounted::Mounted;
use super::progress::Counter;
use super::servers::NeededServers;
use super::{explore_json, explore_output, output};
use crate::exit;
use crate::explore::{Bound, Schedule};
use crate::replay::{How, search};
use crate::strategy::Strategy;

impl Explore {
    /// Searches on real backends.
    pub(super) fn search_really(&self, strategy: &dyn Strategy, bound: Bound) -> anyhow::Result<ExitCode> {
        let mounted = Mounted::start(&self.real, 1, NeededServers::of([strategy]), false)?;
        let bound = Bound { store: mounted.testbed().profile(), ..bound };
        let seed = self.seed.unwrap_or_else(rand::random);
        let how = if self.walk.is_some() { How::AtRandom { seed } } else { How::Every };
        let counter = Counter::new(strategy.name());
        let most = usize::try_from(self.runs).unwrap_or(usize::MAX);
        let searched = search(mounted.testbed(), strategy, bound, how, self.runs, &|runs| {
            counter.tell(usize::try_from(runs).unwrap_or(usize::MAX), most);
            !mounted.is_stopped()
        })?;
        drop(counter);
        let command = |schedule: &Schedule| self.replay_command(strategy.name(), schedule);
        let drawn = self.walk.map(|_| seed);
        let on = if strategy.needs_lock_service() {
            format!("{} and {}", self.real.store, self.real.lock)
        } else {
            self.real.store.clone()
        };
        output::print(&if self.json {
            let document = explore_json::searched_as_json(
                strategy.name(),
                &bound,
                (&self.real.store, &self.real.lock),
                drawn,
                &searched,
                &command,
            );
            self.document(document)?
        } else {
            explore_output::searched_as_text(strategy.name(), &bound, &on, drawn, &searched, &command)
        })?;
        let claim = bound.claim_of(strategy);
        let broken = searched.violations.keys().any(|violation| claim.rules_out.contains(violation));
        let verdict = if broken {
            exit::BROKEN
        } else if searched.complete {
            exit::MET
        } else {
            exit::INCONCLUSIVE
        };
        Ok(ExitCode::from(self.code(&[verdict], mounted.is_stopped())))
    }

    /// The command that replays a schedule that was found on real backends.
    fn replay_command(&self, strategy: &str, schedule: &Schedule) -> String {
        let mut options = self.real.options();
        let named = schedule.0.iter().map(|step| step.lane + 1).max().unwrap_or(1);
        for (name, value, is_known) in [("lanes", self.lanes, named >= self.lanes), ("retries", self.retries, false)] {
            if value != 1 && !is_known {
                options.push_str(&format!(" --{name} {value}"));
            }
        }
        options.push_str(&self.requests.options());
        options.push_str(self.hop.option());
        format!("oncelab replay {strategy}{options} \"{schedule}\"")
    }
}
