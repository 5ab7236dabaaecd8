//! Sweeps: an experiment at every combination of some settings, e.g. loss rates and lengths of pauses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::{ExperimentError, parse};
use super::{Experiment, overrides};
use crate::strategy::Registry;

/// A setting that is varied, or several that are varied together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Its name in tables, in files and for `--at`.
    pub name: String,
    /// The settings, as `--set` names them: each gets the value.
    pub keys: Vec<String>,
    /// The values, in the order of tables: numbers or words.
    pub values: Vec<toml::Value>,
}

/// More points than this are a mistake: each is a trial of every strategy.
const MOST_POINTS: usize = 400;

/// The most letters of a point: with a strategy, a fault level and a repetition it names a file.
const LONGEST_POINT: usize = 100;

/// Settings that backends are started with: they are the same for a whole run.
const OF_THE_RUN: [&str; 6] = [
    "backend.lease_ttl_s",
    "backend.lock_members",
    "backend.lock_election_ms",
    "backend.lock_keep_alive",
    "backend.embedded_clock_speed",
    "backend.durable",
];

impl Axis {
    /// The values as texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.values.iter().map(text).collect()
    }

    /// What is wrong with the axis on its own, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let name = &self.name;
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if !is_word(name) {
            return Some(format!("`sweep`: '{name}' cannot name an axis: use letters, digits, '-', '_' and '.' only"));
        }
        if self.keys.is_empty() || self.values.is_empty() {
            return Some(format!("`sweep` '{name}' changes no setting: add `keys` and `values`"));
        }
        let texts = self.texts();
        if let Some(value) = texts.iter().find(|value| !is_word(value)) {
            return Some(format!(
                "`sweep` '{name}': {value} cannot be the value of an axis: use numbers or single words"
            ));
        }
        if let Some(n) = (1..texts.len()).find(|n| texts[..*n].contains(&texts[*n])) {
            return Some(format!("`sweep` '{name}' has the value {} twice", texts[n]));
        }
        let inner = |key: &&String| ["load.", "faults.", "backend."].iter().any(|part| key.starts_with(part));
        if let Some(key) = self.keys.iter().find(|key| !inner(key)) {
            return Some(format!(
                "`sweep` '{name}': `{key}` cannot be varied: only keys of load, faults and backend can"
            ));
        }
        let key = self.keys.iter().find(|key| OF_THE_RUN.contains(&key.as_str()))?;
        Some(format!(
            "`sweep` '{name}': `{key}` cannot be varied, since the backends are started with it: make a run for each value, with --set {key}=VALUE"
        ))
    }
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(word) => word.clone(),
        other => other.to_string(),
    }
}

/// A value for each axis of a sweep, in their order; without any if there is no sweep. Written `loss=0.01,pause=1.5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Point(pub Vec<(String, String)>);

impl Point {
    /// The value on an axis.
    #[must_use]
    pub fn on(&self, axis: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == axis).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        f.pad(&parts.join(","))
    }
}

/// A text that is no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a point of a sweep: write it as axis=value,axis=value")]
pub struct MalformedPoint(String);

impl FromStr for Point {
    type Err = MalformedPoint;

    fn from_str(text: &str) -> Result<Self, MalformedPoint> {
        let part = |part: &str| {
            let (axis, value) = part.split_once('=')?;
            let (axis, value) = (axis.trim(), value.trim());
            (!axis.is_empty() && !value.is_empty()).then(|| (axis.to_owned(), value.to_owned()))
        };
        let parts: Option<Vec<_>> = text.split(',').filter(|part| !part.is_empty()).map(part).collect();
        parts.map(Point).ok_or_else(|| MalformedPoint(text.to_owned()))
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The sweep has no such point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--at {point}: the sweep of '{experiment}' has no such point; {there_is}")]
pub struct UnknownPoint {
    point: Point,
    experiment: String,
    there_is: String,
}

impl Experiment {
    /// Every combination of the axes' values, the first axis varying slowest; a single point without a value if there is no
    /// sweep. Only those that the run is restricted to, if it is.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut points = vec![Point::default()];
        for axis in &self.sweep {
            let with = |point: &Point| {
                let add = |value| Point(point.0.iter().cloned().chain([(axis.name.clone(), value)]).collect());
                axis.texts().into_iter().map(add).collect::<Vec<_>>()
            };
            points = points.iter().flat_map(with).collect();
        }
        points.retain(|point| self.only_points.is_empty() || self.only_points.contains(point));
        points
    }

    /// Restricts the sweep to these points.
    ///
    /// # Errors
    /// [`UnknownPoint`], with the axes and values that there are.
    pub fn restrict(&mut self, only: &[Point]) -> Result<(), UnknownPoint> {
        let all = self.points();
        if let Some(point) = only.iter().find(|point| !all.contains(point)) {
            let axes = self.sweep.iter().map(|axis| format!("{}: {}", axis.name, axis.texts().join(" ")));
            let axes: Vec<String> = axes.collect();
            let there_is =
                if axes.is_empty() { "it has none".to_owned() } else { format!("its axes: {}", axes.join("; ")) };
            return Err(UnknownPoint { point: point.clone(), experiment: self.name.clone(), there_is });
        }
        self.only_points = only.to_vec();
        Ok(())
    }

    /// The experiment at one of its points: with the point's settings made, and without a sweep.
    ///
    /// # Errors
    /// [`ExperimentError`] if a value cannot be what its key holds.
    pub fn at(&self, point: &Point, registry: &Registry) -> Result<Experiment, ExperimentError> {
        let mut experiment = self.clone();
        experiment.sweep.clear();
        experiment.only_points.clear();
        if point.0.is_empty() {
            return Ok(experiment);
        }
        let whole = |what: String| ExperimentError::WrongPoint { point: point.clone(), what };
        let mut table = toml::Table::try_from(&experiment).map_err(|error| whole(error.to_string()))?;
        for (axis, value) in &point.0 {
            let keys = self.sweep.iter().filter(|known| known.name == *axis).flat_map(|axis| &axis.keys);
            for key in keys {
                overrides::apply(&mut table, &format!("{key}={value}"))?;
            }
        }
        parse(&self.name, &table.to_string(), registry).map_err(|error| match error {
            ExperimentError::Wrong { what, .. } => whole(what),
            other => other,
        })
    }

    /// What is wrong with the sweep, if anything is.
    pub(super) fn sweep_fault(&self, registry: &Registry) -> Option<String> {
        if let Some(fault) = self.sweep.iter().find_map(Axis::fault) {
            return Some(fault);
        }
        let names: Vec<&str> = self.sweep.iter().map(|axis| axis.name.as_str()).collect();
        if let Some(n) = (1..names.len()).find(|n| names[..*n].contains(&names[*n])) {
            return Some(format!("two axes of `sweep` are named '{}'", names[n]));
        }
        let sizes = self.sweep.iter().map(|axis| axis.values.len());
        let count = sizes.fold(1_usize, usize::saturating_mul);
        if count > MOST_POINTS {
            return Some(format!(
                "`sweep` has {count} points, but at most {MOST_POINTS} are possible: each point is a trial of every strategy"
            ));
        }
        let longest = |axis: &Axis| axis.name.len() + axis.texts().iter().map(String::len).max().unwrap_or(0) + 2;
        let length: usize = self.sweep.iter().map(longest).sum();
        if length > LONGEST_POINT {
            return Some(format!(
                "`sweep`: the names and values of a point have {length} letters, but at most {LONGEST_POINT} are possible, since they name files"
            ));
        }
        if self.sweep.is_empty() {
            return None;
        }
        self.points().iter().find_map(|point| self.at(point, registry).err()).map(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"x\"\nquestion = \"?\"\n[[faults]]\nname = \"l\"\n";

    fn read(sweep: &str) -> Result<Experiment, ExperimentError> {
        parse("x.toml", &format!("{HEAD}{sweep}"), &Registry::default())
    }

    #[test]
    fn points_are_all_combinations_and_each_has_its_settings() {
        // Two values of one axis and three of the other: six points.
        let sweep = "[[sweep]]\nname = \"loss\"\nkeys = [\"faults.l.store.reply_lost\", \"faults.l.store.request_lost\"]\nvalues = [0.0, 0.1]\n\
                     [[sweep]]\nname = \"accounts\"\nkeys = [\"load.accounts\"]\nvalues = [1, 2, 3]\n";
        let experiment = read(sweep).unwrap();
        let points = experiment.points();
        assert_eq!(points.len(), 6);
        assert_eq!(points[5].to_string(), "loss=0.1,accounts=3");
        let at = experiment.at(&points[5], &Registry::default()).unwrap();
        assert_eq!((at.load.accounts.get(), at.faults[0].store.reply_lost.get()), (3, 0.1));
        assert_eq!(at.faults[0].store.request_lost.get(), 0.1);
        assert_eq!(points[5].to_string().parse::<Point>().unwrap(), points[5]);
        assert!("loss= ,accounts=3".parse::<Point>().is_err());
    }

    #[test]
    fn a_sweep_that_cannot_be_says_why() {
        let refusal = |keys: &str, values: &str| {
            read(&format!("[[sweep]]\nname = \"a\"\nkeys = [{keys}]\nvalues = [{values}]\n")).unwrap_err().to_string()
        };
        assert!(refusal("\"load.accounts\"", "0").contains("a=0"), "{}", refusal("\"load.accounts\"", "0"));
        assert!(refusal("\"load.accounts\"", "1, 1").contains("twice"));
        assert!(refusal("\"backend.durable\"", "true").contains("--set backend.durable=VALUE"));
        assert!(refusal("\"name\"", "\"b\"").contains("only keys of load"));
        assert!(refusal("\"faults.m.pause_leases\"", "1.0").contains("no entry of that list is named `m`"));
        assert!(refusal("\"load.acounts\"", "1").contains("did you mean"));
    }

    #[test]
    fn a_restriction_to_a_point_that_is_not_there_names_those_that_are() {
        let mut experiment = read("[[sweep]]\nname = \"n\"\nkeys = [\"load.accounts\"]\nvalues = [1, 2]\n").unwrap();
        let error = experiment.restrict(&["n=3".parse().unwrap()]).unwrap_err().to_string();
        assert!(error.contains("n: 1 2"), "{error}");
        experiment.restrict(&["n=2".parse().unwrap()]).unwrap();
        assert_eq!(experiment.points().len(), 1);
    }
}
