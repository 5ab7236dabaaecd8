//! What an experiment's answers mean: sentences, each with the conditions under which it is true.

use std::fmt;

use minijinja::{Environment, Error};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::expression::{condition_fault, places_fault};

/// A sentence with places for figures. It is printed where all of its conditions hold and every row that it speaks of is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    /// The sentence; `report::told` has the functions that its places may call.
    pub says: String,
    /// Expressions over the same functions. In a file: one, or a list of which all must hold.
    #[serde(default, rename = "if", deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`if` is a condition, or a list of conditions that must all hold")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(condition) => vec![condition],
        OneOrMany::Many(conditions) => conditions,
    })
}

/// The prose of an experiment. In a file: `[[analysis]]` tables, or one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Analysis {
    Sentences(Vec<Sentence>),
    /// One text without a condition, as older runs have it. An experiment that is loaded to be run has it as a sentence.
    Text(String),
}

impl Default for Analysis {
    fn default() -> Self {
        Analysis::Sentences(Vec::new())
    }
}

impl Analysis {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Analysis::Sentences(sentences) => sentences.is_empty(),
            Analysis::Text(text) => text.trim().is_empty(),
        }
    }

    /// The sentences; a text is none, since nothing tells under which figures it is true.
    #[must_use]
    pub fn sentences(&self) -> &[Sentence] {
        match self {
            Analysis::Sentences(sentences) => sentences,
            Analysis::Text(_) => &[],
        }
    }

    /// The same, with a text as a sentence that is printed wherever its places can be filled: who writes one answers for it.
    #[must_use]
    pub fn into_sentences(self) -> Self {
        match self {
            Analysis::Text(text) if !text.trim().is_empty() => {
                Analysis::Sentences(vec![Sentence { says: text, conditions: Vec::new() }])
            }
            Analysis::Text(_) => Analysis::default(),
            Analysis::Sentences(sentences) => Analysis::Sentences(sentences),
        }
    }
}

impl Serialize for Analysis {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Analysis::Sentences(sentences) => sentences.serialize(to),
            Analysis::Text(text) => to.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Analysis {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AnalysisVisitor;
        impl<'de> Visitor<'de> for AnalysisVisitor {
            type Value = Analysis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`[[analysis]]` tables with `says` and `if`, or one text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Analysis, E> {
                Ok(Analysis::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Analysis, A::Error> {
                let mut sentences = Vec::new();
                while let Some(sentence) = list.next_element()? {
                    sentences.push(sentence);
                }
                Ok(Analysis::Sentences(sentences))
            }
        }
        from.deserialize_any(AnalysisVisitor)
    }
}

/// What is wrong with a sentence, whatever the run: if it or a condition cannot be read.
#[must_use]
pub fn sentence_fault(says: &str, conditions: &[String]) -> Option<String> {
    if let Some(fault) = places_fault(says) {
        return Some(fault);
    }
    let environment = Environment::empty();
    let detail = |error: &Error| error.detail().unwrap_or("it cannot be read as a template").to_owned();
    if let Err(error) = environment.template_from_str(says) {
        let place = error.line().map_or(String::new(), |line| format!(" in line {line} of the text"));
        return Some(format!("{}{place}", detail(&error)));
    }
    conditions.iter().find_map(|condition| {
        if let Some(fault) = condition_fault(condition) {
            return Some(format!("the condition `{condition}`: {fault}"));
        }
        let error = environment.compile_expression(condition).err()?;
        Some(format!("the condition `{condition}` cannot be read: {}", detail(&error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        analysis: Analysis,
        /// A value after the tables: the writer must put it before them.
        repeats: u8,
    }

    #[test]
    fn sentences_read_back_as_they_were_written() {
        let text = "repeats = 1\n[[analysis]]\nsays = \"a\"\nif = \"1 > 0\"\n[[analysis]]\nsays = \"b\"\nif = [\"1 > 0\", \"2 > 1\"]\n[[analysis]]\nsays = \"c\"\n";
        let file: File = toml::from_str(text).unwrap();
        let counts: Vec<usize> = file.analysis.sentences().iter().map(|one| one.conditions.len()).collect();
        assert_eq!(counts, [1, 2, 0]);
        let again: File = toml::from_str(&toml::to_string(&file).unwrap()).unwrap();
        assert_eq!(again, file);
    }

    #[test]
    fn a_text_of_an_older_run_is_read_and_is_no_sentence() {
        let file: File = toml::from_str("analysis = \"all is well\"\nrepeats = 1").unwrap();
        assert!(file.analysis.sentences().is_empty() && !file.analysis.is_empty());
        let again: File = toml::from_str(&toml::to_string(&file).unwrap()).unwrap();
        assert_eq!(again, file);
        assert_eq!(again.analysis.into_sentences().sentences().len(), 1);
    }

    #[test]
    fn a_key_that_there_is_not_is_an_error_that_names_it() {
        let error = toml::from_str::<File>("repeats = 1\n[[analysis]]\nsays = \"a\"\nwhen = \"x\"").unwrap_err();
        assert!(error.message().contains("unknown field `when`"), "{error}");
        let error = toml::from_str::<File>("repeats = 1\n[[analysis]]\nsays = \"a\"\nif = 1").unwrap_err();
        assert!(error.message().contains("a condition"), "{error}");
    }

    #[test]
    fn a_sentence_that_cannot_be_read_says_where() {
        assert!(sentence_fault("a\n{{ count( }}", &[]).unwrap().contains("line 2"));
        assert!(sentence_fault("a", &["count(".to_owned()]).unwrap().contains("`count(`"));
        assert_eq!(sentence_fault("50 % of {{ acked(\"x\") }}", &["acked(\"x\") > 1".to_owned()]), None);
    }
}
