//! Liars and twins on the real SQLite, held against the model.

use oncelab::check::Finding;
use oncelab::explore::Flaws;
use oncelab::replay::{Conformance, conform};
use oncelab::strategy::Strategy;

use super::explored::{Caused, Mounted, explored};
use super::table::{Conformed, Liar};
use super::tried::{Tried, against, guarded};

/// So many classes of each are held against the real store.
const SAMPLE: usize = 100;

/// Holds the real SQLite against the model: each liar and each twin that a model knows. Of the others, `conform` must say why it
/// leaves them out. The schedule that `explore` shows for a violation must show it on the real store too, whatever found it. Says how
/// many liars and twins were held against the model.
pub(super) fn hold_against_the_store(liars: &[Liar]) -> (usize, usize) {
    let mounted = Mounted::new();
    let mut tried = Tried::default();
    for liar in liars {
        let of = Conformance {
            bound: liar.bounded.bound,
            flaws: Flaws::default(),
            shard: None,
            sample: Some(SAMPLE),
            max_classes: SAMPLE,
            seed: 1,
            workers: 1,
            until_divergence: false,
        };
        let held = |strategy: &dyn Strategy| {
            guarded(|| conform(mounted.rig(), strategy, &of, &|_, _| true).map_err(|error| error.to_string()))
        };
        let agrees = |strategy: &dyn Strategy| {
            against(held(strategy), |it| {
                (it.replayed == 0 || it.divergences > 0)
                    .then(|| format!("{} of {}: {:?}", it.divergences, it.replayed, it.smallest))
            })
        };
        let (lies, honest) = (liar.lies.as_ref(), liar.honest.as_ref());
        match liar.conformed {
            Conformed::Agrees => {
                tried.object(lies, liar, agrees(lies));
                tried.object(honest, liar, agrees(honest));
                tried.liars += 1;
                tried.twins += 1;
            }
            Conformed::WithoutLiar => {
                let something =
                    |it: oncelab::replay::Conformed| (it.replayed > 0).then(|| "it did something".to_owned());
                tried.object(lies, liar, against(held(lies), something));
                tried.object(honest, liar, agrees(honest));
            }
            Conformed::OwnSql => {
                let reason = held(lies).err().unwrap_or_default();
                let unnamed = (!reason.contains("issues SQL of its own")).then(|| format!("no reason, but '{reason}'"));
                tried.object(lies, liar, unnamed);
            }
        }
        let bound = liar.bounded.bound;
        let found = guarded(|| explored(&mounted, lies, bound, liar.conformed));
        let on_the_store = |found: Vec<Caused>| {
            found.into_iter().find_map(|Caused { violation, cause, schedule }| {
                let replayed = guarded(|| mounted.replay(liar, bound, &schedule));
                against(replayed, |found: Vec<Finding>| {
                    let shows = found.iter().any(|finding| (finding.violation, finding.cause) == (violation, cause));
                    (!shows).then(|| format!("`{schedule}` shows no {violation}, {cause} on the real store: {found:?}"))
                })
            })
        };
        tried.object(lies, liar, against(found, on_the_store));
    }
    tried.counted()
}
