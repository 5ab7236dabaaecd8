//! Expectations: the answers that an experiment should give, as its file writes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::terms::{Expected, ExpectedVisitor, StoreKind};

/// The answer that an experiment writes for a strategy. In a file: `"valid"`, a list of violations, or `"any"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// This verdict is expected.
    Verdict(Expected),
    /// No verdict is expected, though one would follow from the claim. The strategy is held to what its claim rules out.
    Any,
}

/// The answer for every store, or for each. In a file: an answer, or a table of answers by store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    Everywhere(Written),
    PerStore(BTreeMap<&'static str, Written>),
}

impl Expectation {
    /// The answer for this store, if one is written.
    #[must_use]
    pub fn on(&self, store: StoreKind) -> Option<&Written> {
        match self {
            Expectation::Everywhere(answer) => Some(answer),
            Expectation::PerStore(by_store) => by_store.get(store.name()),
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Verdict(expected) => expected.fmt(f),
            Written::Any => f.write_str("any verdict"),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Everywhere(answer) => answer.fmt(f),
            Expectation::PerStore(by_store) => {
                let each: Vec<String> = by_store.iter().map(|(store, answer)| format!("{answer} on {store}")).collect();
                f.write_str(&each.join(", "))
            }
        }
    }
}

/// What an answer looks like in a file.
const FORM: &str = "\"valid\", \"any\", a list of violations such as [\"duplicate\"], or a table of these by store";

/// The answer in which nothing is expected, in a file.
const ANY: &str = "any";

/// Reads an answer.
struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Written, E> {
        match text {
            ANY => Ok(Written::Any),
            text => ExpectedVisitor
                .visit_str(text)
                .map(Written::Verdict)
                .map_err(|_: E| E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Written, A::Error> {
        ExpectedVisitor.visit_seq(list).map(Written::Verdict)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WrittenVisitor)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Written::Verdict(expected) => expected.serialize(to),
            Written::Any => to.serialize_str(ANY),
        }
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Outer;
        impl<'de> Visitor<'de> for Outer {
            type Value = Expectation;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FORM)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Expectation, E> {
                WrittenVisitor.visit_str(text).map(Expectation::Everywhere)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Expectation, A::Error> {
                WrittenVisitor.visit_seq(list).map(Expectation::Everywhere)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Expectation, A::Error> {
                let mut by_store = BTreeMap::new();
                while let Some((name, answer)) = table.next_entry::<String, Written>()? {
                    let known = StoreKind::from_name(&name).map(StoreKind::name).ok_or_else(|| {
                        let names = StoreKind::NAMES.map(|(_, name)| name);
                        let hint = crate::suggest::did_you_mean(crate::suggest::nearest(&name, names));
                        serde::de::Error::custom(format!("no store is named '{name}'{hint}"))
                    })?;
                    by_store.insert(known, answer);
                }
                Ok(Expectation::PerStore(by_store))
            }
        }
        from.deserialize_any(Outer)
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Expectation::Everywhere(answer) => answer.serialize(to),
            Expectation::PerStore(by_store) => to.collect_map(by_store),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Violation;

    fn read(value: &str) -> Result<Expectation, toml::de::Error> {
        let table: BTreeMap<String, Expectation> = toml::from_str(&format!("x = {value}"))?;
        Ok(table["x"].clone())
    }

    #[test]
    fn an_expectation_reads_back_as_it_was_written() {
        let lost = || Written::Verdict(Expected::Shows(vec![Violation::Lost]));
        let cases = [
            ("\"valid\"", Expectation::Everywhere(Written::Verdict(Expected::Valid)), "valid"),
            ("\"any\"", Expectation::Everywhere(Written::Any), "any verdict"),
            ("[\"lost\"]", Expectation::Everywhere(lost()), "invalid: lost"),
            (
                "{ postgres = \"any\", sqlite = [\"lost\"] }",
                Expectation::PerStore([("postgres", Written::Any), ("sqlite", lost())].into()),
                "any verdict on postgres, invalid: lost on sqlite",
            ),
        ];
        for (text, expectation, words) in cases {
            assert_eq!(read(text).unwrap(), expectation, "{text}");
            assert_eq!(expectation.to_string(), words);
            let table: BTreeMap<&str, Expectation> = [("x", expectation)].into();
            let again: BTreeMap<String, Expectation> = toml::from_str(&toml::to_string(&table).unwrap()).unwrap();
            assert_eq!(again["x"], table["x"], "{text}");
        }
    }

    #[test]
    fn a_value_that_is_no_answer_is_refused_with_the_answers_that_there_are() {
        for value in ["\"anything\"", "1", "{ sqlite = \"vlaid\" }"] {
            let said = read(value).unwrap_err().to_string();
            assert!(said.contains("\"valid\", \"any\", a list of violations"), "{value}: {said}");
        }
        assert!(read("[]").unwrap_err().to_string().contains("write \"valid\""));
        assert!(read("{ sqlit = \"any\" }").unwrap_err().to_string().contains("did you mean 'sqlite'"));
    }
}
