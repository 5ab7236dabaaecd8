//! Expectations: the answers that an experiment should give.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check::Violation;
use crate::strategy::StoreKind;

/// The verdict that is expected of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// No violation that counts.
    Valid,
    /// Invalid, with at least one violation of each of these kinds.
    Shows(Vec<Violation>),
}

/// The verdict expected of a strategy, for every store or for each. In a file: `"valid"`, a list of violations, or a
/// table of these by store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    Everywhere(Expected),
    PerStore(BTreeMap<&'static str, Expected>),
}

impl Expectation {
    /// What is expected on this store, if anything is.
    #[must_use]
    pub fn on(&self, store: StoreKind) -> Option<&Expected> {
        match self {
            Expectation::Everywhere(expected) => Some(expected),
            Expectation::PerStore(by_store) => by_store.get(store.name()),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Valid => f.write_str("valid"),
            Expected::Shows(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, "invalid: {}", names.join(", "))
            }
        }
    }
}

const FORM: &str = "\"valid\", a list of violations such as [\"duplicate\"], or a table of these by store";

fn violation<E: serde::de::Error>(name: &str) -> Result<Violation, E> {
    Violation::from_name(name).ok_or_else(|| {
        let names = Violation::ALL.map(Violation::name);
        let hint = crate::suggest::did_you_mean(crate::suggest::nearest(name, names));
        E::custom(format!("no violation is named '{name}'{hint}; there are: {}", names.join(", ")))
    })
}

struct ExpectedVisitor;

impl<'de> Visitor<'de> for ExpectedVisitor {
    type Value = Expected;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Expected, E> {
        match text {
            "valid" => Ok(Expected::Valid),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Expected, A::Error> {
        let mut kinds = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            kinds.push(violation(&name)?);
        }
        if kinds.is_empty() {
            return Err(serde::de::Error::custom("an empty list expects nothing: write \"valid\""));
        }
        Ok(Expected::Shows(kinds))
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ExpectedVisitor)
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
                ExpectedVisitor.visit_str(text).map(Expectation::Everywhere)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Expectation, A::Error> {
                ExpectedVisitor.visit_seq(list).map(Expectation::Everywhere)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Expectation, A::Error> {
                let mut by_store = BTreeMap::new();
                while let Some((name, expected)) = table.next_entry::<String, Expected>()? {
                    let known = StoreKind::from_name(&name).map(StoreKind::name).ok_or_else(|| {
                        let names = StoreKind::NAMES.map(|(_, name)| name);
                        let hint = crate::suggest::did_you_mean(crate::suggest::nearest(&name, names));
                        serde::de::Error::custom(format!("no store is named '{name}'{hint}"))
                    })?;
                    by_store.insert(known, expected);
                }
                Ok(Expectation::PerStore(by_store))
            }
        }
        from.deserialize_any(Outer)
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Expected::Valid => to.serialize_str("valid"),
            Expected::Shows(kinds) => to.collect_seq(kinds.iter().map(|kind| kind.name())),
        }
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Expectation::Everywhere(expected) => expected.serialize(to),
            Expectation::PerStore(by_store) => to.collect_map(by_store),
        }
    }
}
