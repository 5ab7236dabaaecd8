//! Expectations: the answers that an experiment should give.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::terms::{Expected, ExpectedVisitor, FORM, StoreKind};

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

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Expectation::Everywhere(expected) => expected.serialize(to),
            Expectation::PerStore(by_store) => to.collect_map(by_store),
        }
    }
}
