//! The verdicts that are expected.

use std::fmt;

use serde::de::{SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Violation;

/// The verdict that is expected of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// No violation that counts.
    Valid,
    /// Invalid, with at least one violation of each of these kinds.
    Shows(Vec<Violation>),
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

/// What a verdict looks like in a file.
const FORM: &str = "\"valid\", or a list of violations such as [\"duplicate\"]";

fn violation<E: serde::de::Error>(name: &str) -> Result<Violation, E> {
    Violation::from_name(name).ok_or_else(|| {
        let names = Violation::ALL.map(Violation::name);
        let hint = crate::suggest::did_you_mean(crate::suggest::nearest(name, names));
        E::custom(format!("no violation is named '{name}'{hint}; there are: {}", names.join(", ")))
    })
}

/// Reads a verdict.
pub(crate) struct ExpectedVisitor;

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

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Expected::Valid => to.serialize_str("valid"),
            Expected::Shows(kinds) => to.collect_seq(kinds.iter().map(|kind| kind.name())),
        }
    }
}
