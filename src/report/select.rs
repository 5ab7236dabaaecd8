//! Which rows of a run a figure is taken from.

use std::str::FromStr;

use crate::experiment::Point;
use crate::results::CellSummary;

/// A choice of a strategy's rows. Without anything it is all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Which {
    pub faults: Option<String>,
    pub at: Vec<AxisBound>,
}

/// What a point of the sweep must be like on an axis, e.g. `pause<1`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AxisBound {
    axis: String,
    relation: AxisRelation,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AxisRelation {
    AtMost,
    AtLeast,
    Below,
    Above,
    Is,
}

impl AxisRelation {
    /// How each is written; a sign that begins like another stands before it.
    const SIGNS: [(&'static str, AxisRelation); 5] = [
        ("<=", AxisRelation::AtMost),
        (">=", AxisRelation::AtLeast),
        ("<", AxisRelation::Below),
        (">", AxisRelation::Above),
        ("=", AxisRelation::Is),
    ];
}

impl Which {
    /// Whether a row is among those that are meant.
    pub fn means(&self, strategy: &str, cell: &CellSummary) -> bool {
        let is_level = self.faults.as_ref().is_none_or(|faults| *faults == cell.faults);
        cell.strategy == strategy && is_level && self.has(&cell.point)
    }

    /// Whether a point is among those that are meant.
    pub fn has(&self, point: &Point) -> bool {
        self.at.iter().all(|bound| point.on(&bound.axis).is_some_and(|value| bound.holds(value)))
    }
}

impl AxisBound {
    /// The bounds in a text: `axis=value`, `axis<value` and so on, with commas between.
    pub fn all(text: &str) -> Result<Vec<AxisBound>, NoPoint> {
        text.split(',').map(str::parse).collect()
    }

    fn holds(&self, value: &str) -> bool {
        let numbers = value.parse::<f64>().ok().zip(self.value.parse::<f64>().ok());
        let compared = |is_so: fn(&f64, &f64) -> bool| numbers.is_some_and(|(here, bound)| is_so(&here, &bound));
        match self.relation {
            AxisRelation::AtMost => compared(f64::le),
            AxisRelation::AtLeast => compared(f64::ge),
            AxisRelation::Below => compared(f64::lt),
            AxisRelation::Above => compared(f64::gt),
            AxisRelation::Is => value == self.value || compared(f64::eq),
        }
    }
}

/// A text that is no bound on an axis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' does not choose a point of a sweep: write axis=value, axis<value, axis<=value, axis>value or axis>=value"
)]
pub struct NoPoint {
    text: String,
}

impl FromStr for AxisBound {
    type Err = NoPoint;

    fn from_str(text: &str) -> Result<Self, NoPoint> {
        let split = |(sign, relation): &(&str, AxisRelation)| Some((text.split_once(*sign)?, *relation));
        let found = AxisRelation::SIGNS.iter().find_map(split);
        match found {
            Some(((axis, value), relation)) if !axis.trim().is_empty() && !value.trim().is_empty() => {
                Ok(AxisBound { axis: axis.trim().to_owned(), relation, value: value.trim().to_owned() })
            }
            _ => Err(NoPoint { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_by_number_and_else_by_word() {
        let holds = |bound: &str, value: &str| bound.parse::<AxisBound>().unwrap().holds(value);
        assert!(holds("pause<1", "0.75") && !holds("pause<1", "1.0") && holds("pause<=1", "1.0"));
        assert!(holds("pause>1", "1.25") && !holds("pause>1", "1.0") && holds("pause>=1", "1.0"));
        assert!(holds("loss=0", "0.0") && holds("where=wire", "wire") && !holds("where=wire", "port"));
        assert!(!holds("where<2", "wire"));
        assert!(["pause", "=1", "pause<", ""].iter().all(|text| text.parse::<AxisBound>().is_err()));
        assert_eq!(AxisBound::all("pause<1, loss=0.0").unwrap().len(), 2);
    }
}
