//! Strategies of the lab that were called something else than what they are.

use oncelab::explore::{Schedule, tell};
use oncelab::strategy::Registry;
use oncelab::terms::Cause;
use serde_json::Value;

use super::bound;
use crate::common::{oncelab, text};

#[test]
fn what_lands_late_by_overwrite_is_not_called_a_redelivery() {
    let strategy = Registry::default().get("etcd-lock-overwrite").unwrap();
    let schedule: Schedule = "a a a a~ a a a a a a a a+".parse().unwrap();
    let story = tell(strategy.as_ref(), bound(1, 1, 1), &schedule).unwrap();
    let causes: Vec<Cause> = story.findings.iter().map(|finding| finding.cause).collect();
    assert!(causes.contains(&Cause::LateLanding) && !causes.contains(&Cause::Redelivery), "{:?}", story.findings);
}

/// Replies are so rarely lost that in 200 requests none will be; and some deliveries take longer, so that something does happen.
const TOOTHLESS: &str = "client = { delayed = 0.05 }\nstore = { reply_lost = 0.00001 }";
/// What happens to deliveries happens.
const FIT: &str = "client = { delayed = 0.05 }";

#[test]
fn a_pass_is_inconclusive_where_the_fault_that_breaks_it_never_fired() {
    let verdict = |faults: &str| {
        let folder = tempfile::tempdir().unwrap();
        let experiment = format!(
            "name = \"mine\"\nquestion = \"?\"\nstrategies = [\"at-least-once\"]\n[load]\nrequests = 200\nwarmup = 0\n\
             timeout_ms = 2000\n[[faults]]\nname = \"quiet\"\n{faults}\n"
        );
        std::fs::write(folder.path().join("mine.toml"), experiment).unwrap();
        let output = oncelab(folder.path(), &["run", "mine.toml", "--seed", "1", "--json"]);
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        document["cells"][0].clone()
    };
    let toothless = verdict(TOOTHLESS);
    assert_eq!(toothless["verdict"], "inconclusive", "{toothless}");
    let fit = verdict(FIT);
    assert_eq!(fit["verdict"], "valid", "{fit}");
}

#[test]
fn a_strategy_that_is_refused_for_good_has_acknowledged_nothing() {
    let liar = super::refusals::liars().into_iter().find(|liar| liar.lies.name() == "refuses-everything").unwrap();
    let (verdict, tally) = super::loaded::ran(liar.lies, &liar.loaded);
    assert_eq!((verdict.name(), tally.acknowledged, tally.refused), ("invalid", 0, tally.requests));
}
