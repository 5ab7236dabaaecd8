//! The decision guide: which way to take, by what the effect is, with the rows that show it.

use serde::Deserialize;

use super::analysis::fill;
use crate::results::Summary;

/// The advice, as data: no code of a report names a strategy.
const GUIDE: &str = include_str!("../../experiments/guide/guide.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guide {
    advice: Vec<Advice>,
}

/// What to do in a situation.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    pub situation: String,
    /// With the figures of a run.
    pub advice: String,
}

/// The guide with the figures of a run; nothing if the run has none of its rows.
#[must_use]
pub fn guide(summary: &Summary) -> Vec<Advice> {
    let guide: Guide = toml::from_str(GUIDE).expect("the guide is well formed: a test reads it");
    let fill = |advice: Advice| Advice {
        advice: fill(&advice.advice, summary).split_whitespace().collect::<Vec<_>>().join(" "),
        ..advice
    };
    let advice: Vec<Advice> = guide.advice.into_iter().map(fill).collect();
    if advice.iter().any(|advice| advice.advice.contains("[[")) { advice } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Registry;

    #[test]
    fn the_guide_speaks_of_strategies_that_there_are() {
        let guide: Guide = toml::from_str(GUIDE).expect("it is well formed");
        let registry = Registry::default();
        let mut rows = 0;
        for place in guide.advice.iter().flat_map(|advice| advice.advice.split("row(\"").skip(1)) {
            let name = place.split('"').next().unwrap();
            assert!(registry.get(name).is_ok(), "{name}");
            rows += 1;
        }
        assert!(rows > 10, "{rows}");
    }
}
