//! Expectations by claim: what is expected of a strategy where the experiment writes nothing.

use super::{Experiment, ExperimentError, Written, strategies};
use crate::fault::Level;
use crate::strategy::{Break, Claim, GIVING_UP, Hazards, Registry, claim_of};
use crate::terms::{Expected, FaultKind, Leg, StoreKind, Violation};

/// How often a fault must be likely to happen before its violation is expected. If one in four shows the violation, the chance that
/// none of 16 does is 0.75^16 = 1 %.
const OFTEN: f64 = 16.0;

/// Who expects something of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedBy {
    Experiment,
    Claim,
}

impl Experiment {
    /// What is expected of a strategy under a fault level on this store, and who expects it; nothing where no verdict is expected.
    #[must_use]
    pub fn expected(&self, level: &str, strategy: &str, store: StoreKind) -> Option<(&Expected, ExpectedBy)> {
        match self.written(level, strategy, store) {
            Some(Written::Verdict(expected)) => Some((expected, ExpectedBy::Experiment)),
            Some(Written::Any) => None,
            None => Some((self.expect_by_claim.get(level)?.get(strategy)?, ExpectedBy::Claim)),
        }
    }

    /// The answer that the experiment writes, if it writes one.
    fn written(&self, level: &str, strategy: &str, store: StoreKind) -> Option<&Written> {
        self.expect.get(level)?.get(strategy)?.on(store)
    }

    /// Works out what is expected by claim on this store, wherever the experiment writes nothing. A run does so when it begins, with
    /// the strategies, fault levels and points to which it is restricted.
    ///
    /// # Errors
    /// [`ExperimentError`] if a point of the sweep cannot be.
    pub fn derive_expectations(&mut self, registry: &Registry, store: StoreKind) -> Result<(), ExperimentError> {
        let points = self.points();
        let points: Vec<Experiment> = points.iter().map(|point| self.at(point, registry)).collect::<Result<_, _>>()?;
        self.expect_by_claim.clear();
        if self.survey {
            return Ok(());
        }
        for level in self.faults.iter().map(|level| level.name.clone()).collect::<Vec<_>>() {
            let trials: Vec<Trials> = points.iter().filter_map(|point| Trials::of(point, &level)).collect();
            for name in strategies(self, registry) {
                // The experiment names no strategy that the registry does not know: it was refused when it was read.
                let Ok(strategy) = registry.get(&name) else { continue };
                if self.written(&level, &name, store).is_none()
                    && let Some(expected) = by_claim(&claim_of(strategy.as_ref(), store, hazards(&trials)), &trials)
                {
                    self.expect_by_claim.entry(level.clone()).or_default().insert(name, expected);
                }
            }
        }
        Ok(())
    }
}

/// The trials of a strategy under a fault level, at one point of a sweep if there is one.
struct Trials {
    level: Level,
    /// How many requests they have together.
    requests: f64,
    /// How long a client waits for an answer before it sends again.
    timeout_ms: u32,
    /// How often a client sends a request before it gives up.
    attempts: u8,
}

impl Trials {
    fn of(experiment: &Experiment, level: &str) -> Option<Self> {
        let level = experiment.faults.iter().find(|known| known.name == level)?.clone();
        let requests = f64::from(experiment.load.requests.get()) * f64::from(experiment.repeats.get());
        let load = &experiment.load;
        Some(Trials { level, requests, timeout_ms: load.timeout_ms.get(), attempts: load.attempts.get() })
    }

    /// Whether a fault can happen on a leg, be it because a server that is disturbed does the same.
    fn can_happen(&self, fault: FaultKind, leg: Leg) -> bool {
        self.level.can_happen(fault, leg)
            || (self.is_disturbed() && fault.may_come_of_a_server())
            || (GIVING_UP.contains(&fault) && self.given_up() >= 1.0)
    }

    /// Whether something is done to servers.
    fn is_disturbed(&self) -> bool {
        !self.level.backend.is_empty()
    }

    /// How often a fault is likely to happen on a leg, if every request meets it once and it is long enough to matter.
    fn likely(&self, fault: FaultKind, leg: Leg) -> f64 {
        if GIVING_UP.contains(&fault) {
            return self.given_up();
        }
        if self.is_too_short(fault) { 0.0 } else { self.requests * self.level.likeliest(fault, leg).get() }
    }

    /// How many requests are likely to be given up although no server is disturbed, since each attempt loses a message.
    fn given_up(&self) -> f64 {
        let losses = [FaultKind::RequestLost, FaultKind::ReplyLost, FaultKind::LateLanding];
        let on_legs = [Leg::Client, Leg::STORE].into_iter().flat_map(|leg| losses.map(|loss| (loss, leg)));
        let arrives: f64 = on_legs.map(|(loss, leg)| 1.0 - self.level.likeliest(loss, leg).get()).product();
        self.requests * (1.0 - arrives).powi(self.attempts.into())
    }

    /// Whether nobody sends again, and no lease runs out, while the fault lasts.
    fn is_too_short(&self, fault: FaultKind) -> bool {
        // Only these two last for a time.
        (fault == FaultKind::Delayed && self.level.delay_ms.1 <= self.timeout_ms)
            || (fault == FaultKind::Pause && self.level.pause_leases <= 1.0)
    }
}

/// What happens to ids in any of these trials that a claim does not speak of.
fn hazards(trials: &[Trials]) -> Hazards {
    let any = |of: fn(Hazards) -> bool| trials.iter().any(|trials| of(trials.level.hazards()));
    Hazards { reaps: any(|asked| asked.reaps), other_bodies: any(|asked| asked.other_bodies) }
}

/// What is expected of a strategy with this claim, in all of these trials together: `valid` where no fault can break it, and the first
/// violation of the first break of which a fault is likely to happen often. Nothing where it may break or not: its breaks are rare, or
/// servers are disturbed, and chance decides what that does to messages.
fn by_claim(claim: &Claim, trials: &[Trials]) -> Option<Expected> {
    let shown = |b: &Break| b.shows.iter().copied().find(|violation| claim.counts(*violation));
    let can_happen = |fault, leg| trials.iter().any(|trials| trials.can_happen(fault, leg));
    if claim.breaks_under(can_happen).find_map(shown).is_none() {
        return claim.is_whole().then_some(Expected::Valid);
    }
    if trials.iter().any(Trials::is_disturbed) {
        return None;
    }
    let is_often = |fault, leg| trials.iter().map(|trials| trials.likely(fault, leg)).sum::<f64>() >= OFTEN;
    let violation: Violation = claim.breaks_under(is_often).find_map(shown)?;
    Some(Expected::Shows(vec![violation]))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What is expected by claim on SQLite of these strategies under a level `f`, in an experiment of 1,000 requests with these lines.
    fn expected_of<const N: usize>(strategies: [&str; N], lines: &str) -> [String; N] {
        let text = format!("name = \"x\"\nquestion = \"?\"\nload.timeout_ms = 40\n{lines}");
        let registry = Registry::default();
        let mut experiment = parse("x.toml", &text, &registry).unwrap();
        assert_eq!(experiment.load.requests.get(), 1_000);
        experiment.derive_expectations(&registry, StoreKind::Sqlite).unwrap();
        strategies.map(|strategy| {
            let expected = experiment.expected("f", strategy, StoreKind::Sqlite);
            expected.map_or("nothing".to_owned(), |(expected, by)| {
                assert_eq!(by, ExpectedBy::Claim);
                expected.to_string()
            })
        })
    }

    /// The same, for a level with these faults.
    fn under<const N: usize>(strategies: [&str; N], faults: &str) -> [String; N] {
        expected_of(strategies, &format!("[[faults]]\nname = \"f\"\n{faults}"))
    }

    #[test]
    fn clients_that_try_twice_give_up_where_much_is_lost() {
        let strategies = ["sequence-number", "high-water-mark", "dedup-table"];
        let with = |attempts: u8| {
            let named = format!("strategies = {strategies:?}\nload.attempts = {attempts}");
            expected_of(strategies, &format!("{named}\n[[faults]]\nname = \"f\"\nclient = {{ request_lost = 0.2 }}"))
        };
        // 40 of 1,000 requests lose both tries. With eight tries nobody gives up.
        assert_eq!(with(2), ["invalid: refused", "invalid: lost", "valid"]);
        assert_eq!(with(8), ["valid", "valid", "valid"]);
    }

    #[test]
    fn a_strategy_that_no_fault_of_the_level_breaks_is_expected_to_be_valid() {
        let strategies = ["at-least-once", "claim-then-act", "dedup-table"];
        assert_eq!(under(strategies, ""), ["valid", "valid", "valid"]);
        // A repeated request breaks the one that remembers nothing, and not the one that claims first.
        let repeats = "client = { duplicated = 0.1 }";
        assert_eq!(under(strategies, repeats), ["invalid: duplicate", "valid", "valid"]);
    }

    #[test]
    fn a_violation_that_a_claim_tolerates_is_not_expected() {
        // A client that never sends again leaves requests undone, which is part of what at-most-once promises.
        assert_eq!(under(["at-most-once"], "client = { request_lost = 0.1 }"), ["valid"]);
        let repeats_too = "client = { request_lost = 0.1, duplicated = 0.1 }";
        assert_eq!(under(["at-most-once"], repeats_too), ["invalid: duplicate"]);
    }

    #[test]
    fn a_break_is_expected_where_its_fault_is_likely_to_happen_often() {
        // 1,000 requests, and 16 are often: from 1.6 % on.
        let at = |share: &str| under(["at-least-once"], &format!("store = {{ reply_lost = {share} }}"));
        assert_eq!(at("0.016"), ["invalid: duplicate"]);
        assert_eq!(at("0.015"), ["nothing"]);
        let twice = "repeats = 2\n[[faults]]\nname = \"f\"\nstore = { reply_lost = 0.008 }";
        assert_eq!(expected_of(["at-least-once"], twice), ["invalid: duplicate"]);
        // The operation at which it is likeliest counts.
        let exception = "for = [{ ops = [\"apply\"], message = { reply_lost = 0.5 } }]";
        assert_eq!(under(["at-least-once"], exception), ["invalid: duplicate"]);
        let elsewhere = "for = [{ ops = [\"release\"], message = { reply_lost = 0.5 } }]";
        assert_eq!(under(["at-least-once"], elsewhere), ["valid"]);
    }

    #[test]
    fn nothing_is_expected_of_faults_that_are_over_before_anybody_sends_again() {
        let delayed = |ms: u32| under(["etcd-lock"], &format!("store = {{ delayed = 0.5 }}\ndelay_ms = [1, {ms}]"));
        assert_eq!(delayed(41), ["invalid: duplicate"]);
        assert_eq!(delayed(40), ["nothing"]);
        let paused =
            |lives: &str| under(["etcd-lock-marker"], &format!("handler = {{ pause = 0.5 }}\npause_leases = {lives}"));
        assert_eq!(paused("1.01"), ["invalid: duplicate"]);
        assert_eq!(paused("1.0"), ["nothing"]);
    }

    #[test]
    fn where_servers_are_disturbed_only_what_nothing_breaks_is_expected() {
        let killed = "backend = [{ fault = \"kill\", target = \"lock\", every_ms = 5000, for_ms = 500 }]";
        // Requests are lost and late when a server is down, and none is repeated.
        let strategies = ["at-most-once", "at-least-once", "etcd-lock-marker", "dedup-table"];
        assert_eq!(under(strategies, killed), ["valid", "nothing", "nothing", "valid"]);
        let often = format!("{killed}\nstore = {{ reply_lost = 0.5 }}");
        assert_eq!(under(strategies, &often), ["valid", "nothing", "nothing", "valid"]);
    }

    #[test]
    fn all_points_of_a_sweep_count_together() {
        let sweep = "strategies = [\"at-least-once\", \"dedup-table\"]\n[[sweep]]\nname = \"loss\"\n\
                     keys = [\"faults.f.store.reply_lost\"]\nvalues = [0.0, 0.001, 0.1]\n[[faults]]\nname = \"f\"\n";
        assert_eq!(expected_of(["at-least-once", "dedup-table"], sweep), ["invalid: duplicate", "valid"]);
        // A run of some of its points expects what those can show.
        let registry = Registry::default();
        let text = format!("name = \"x\"\nquestion = \"?\"\n{sweep}");
        let at = |loss: &str| {
            let mut experiment = parse("x.toml", &text, &registry).unwrap();
            experiment.restrict(&[format!("loss={loss}").parse().unwrap()]).unwrap();
            experiment.derive_expectations(&registry, StoreKind::Sqlite).unwrap();
            let expected = experiment.expected("f", "at-least-once", StoreKind::Sqlite);
            expected.map(|(expected, _)| expected.to_string())
        };
        assert_eq!(
            ["0.0", "0.001", "0.1"].map(at),
            [Some("valid"), None, Some("invalid: duplicate")].map(|all| all.map(str::to_owned))
        );
    }

    #[test]
    fn a_claim_that_says_nothing_expects_nothing() {
        let registry = Registry::default();
        let claim = registry.get("dedup-table").unwrap().claim(StoreKind::Sqlite);
        let quiet = Trials { level: Level::none(), requests: 1_000.0, timeout_ms: 40, attempts: 8 };
        assert_eq!(by_claim(&claim, &[quiet]), Some(Expected::Valid));
        let quiet = Trials { level: Level::none(), requests: 1_000.0, timeout_ms: 40, attempts: 8 };
        assert_eq!(by_claim(&Claim { rules_out: &[], ..claim }, &[quiet]), None);
    }

    #[test]
    fn what_is_written_goes_before_what_follows_from_the_claim() {
        let registry = Registry::default();
        let text = "name = \"x\"\nquestion = \"?\"\n[[faults]]\nname = \"f\"\nclient = { duplicated = 0.5 }\n[expect.f]\n\
                    at-least-once = \"any\"\ncheck-then-act = { postgres = \"valid\" }\ndedup-table = [\"lost\"]\n";
        let mut experiment = parse("x.toml", text, &registry).unwrap();
        experiment.derive_expectations(&registry, StoreKind::Sqlite).unwrap();
        let of = |strategy| experiment.expected("f", strategy, StoreKind::Sqlite);
        assert_eq!(of("at-least-once"), None);
        assert_eq!(of("check-then-act"), Some((&Expected::Shows(vec![Violation::Duplicate]), ExpectedBy::Claim)));
        assert_eq!(of("dedup-table"), Some((&Expected::Shows(vec![Violation::Lost]), ExpectedBy::Experiment)));
        let on_postgres = experiment.expected("f", "check-then-act", StoreKind::Postgres);
        assert_eq!(on_postgres, Some((&Expected::Valid, ExpectedBy::Experiment)));
        let derived: Vec<&String> = experiment.expect_by_claim["f"].keys().collect();
        assert_eq!(derived.len(), strategies(&experiment, &registry).len() - 2, "{derived:?}");
    }

    #[test]
    fn what_is_saved_is_judged_as_it_was_and_what_runs_again_is_worked_out_anew() {
        let registry = Registry::default();
        // Older runs have no such table, and an older claim may have said something else.
        let head = "name = \"x\"\nquestion = \"?\"\n[[faults]]\nname = \"f\"\nclient = { duplicated = 0.5 }\n";
        let read = |table: &str| parse("x.toml", &format!("{head}{table}"), &registry).unwrap();
        let expected = |experiment: &Experiment| {
            experiment.expected("f", "at-least-once", StoreKind::Sqlite).map(|(expected, _)| expected.to_string())
        };
        assert_eq!(expected(&read("")), None);
        let saved = read("[expect_by_claim.f]\nat-least-once = \"valid\"\n");
        assert_eq!(expected(&saved), Some("valid".to_owned()));
        let mut again = parse("x.toml", &toml::to_string(&saved).unwrap(), &registry).unwrap();
        assert_eq!(again.expect_by_claim, saved.expect_by_claim);
        again.derive_expectations(&registry, StoreKind::Sqlite).unwrap();
        assert_eq!(expected(&again), Some("invalid: duplicate".to_owned()));
    }

    #[test]
    fn an_answer_for_what_is_not_there_is_refused_in_either_table() {
        let registry = Registry::default();
        for table in ["expect", "expect_by_claim"] {
            let refused = |lines: &str| {
                let text = format!("name = \"x\"\nquestion = \"?\"\n[[faults]]\nname = \"lossy\"\n[{table}.{lines}\n");
                parse("x.toml", &text, &registry).unwrap_err().to_string()
            };
            let level = refused("losy]\ndedup-table = \"valid\"");
            assert!(level.contains("x.toml:5") && level.contains("did you mean 'lossy'"), "{level}");
            let strategy = refused("lossy]\ndedup-tables = \"valid\"");
            assert!(strategy.contains("x.toml:6:1") && strategy.contains("did you mean 'dedup-table'"), "{strategy}");
        }
    }
}
