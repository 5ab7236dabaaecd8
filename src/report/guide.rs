//! The decision guide: which way to take, by what the effect is, with the rows that show it.

use std::sync::Arc;

use serde::Deserialize;

use super::analysis::tell;
use super::facts::Facts;
use crate::experiment::Sentence;

/// The advice, as data: no code of a report names a strategy.
const GUIDE: &str = include_str!("../../experiments/guide/guide.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guide {
    advice: Vec<GuideEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuideEntry {
    situation: String,
    sentences: Vec<Sentence>,
}

/// What to do in a situation.
#[derive(Debug, Clone)]
pub struct Advice {
    pub situation: String,
    /// With the figures of a run.
    pub advice: String,
}

fn entries() -> Vec<GuideEntry> {
    let guide: Guide = toml::from_str(GUIDE).expect("the guide is well formed: a test reads it");
    guide.advice
}

/// The guide with the figures of a run: of each situation the sentences that the run's rows bear out, and only situations of which there is one.
#[must_use]
pub fn guide(facts: &Arc<Facts>) -> Vec<Advice> {
    let advice = |entry: GuideEntry| {
        let told: Vec<String> = entry.sentences.iter().filter_map(|sentence| tell(sentence, facts)).collect();
        (!told.is_empty()).then(|| Advice { situation: entry.situation, advice: told.join(" ") })
    };
    entries().into_iter().filter_map(advice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::sentence_fault;
    use crate::report::unknown_name;
    use crate::strategy::Registry;

    #[test]
    fn the_guide_speaks_of_strategies_that_there_are_and_each_sentence_has_a_condition() {
        let registry = Registry::default();
        let sentences: Vec<Sentence> = entries().into_iter().flat_map(|entry| entry.sentences).collect();
        for sentence in &sentences {
            assert_eq!(sentence_fault(&sentence.says, &sentence.conditions), None, "{}", sentence.says);
            assert_eq!(unknown_name(sentence, &registry), None, "{}", sentence.says);
            assert!(!sentence.conditions.is_empty(), "{}", sentence.says);
        }
        assert!(sentences.len() > 8, "{}", sentences.len());
    }
}
