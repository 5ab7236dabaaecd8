//! A row against its course, where no history tells when requests started and ended: both were made of the same waits.

use hdrhistogram::Histogram;

use super::super::Place;
use super::values::both;
use super::{Audit, Remedy};
use crate::results::{Course, Files, RunFolder, TrialRow};

/// The longest wait that is told apart, and the digits that a course keeps of each: as in the figures of a trial.
const LONGEST_US: u64 = 3_600_000_000;
const DIGITS: u8 = 2;

/// Holds the speeds and waits of a row against its course.
pub(super) fn hold(folder: &RunFolder, row: &TrialRow, audit: &mut Audit) {
    let file = format!("{}/{}.json", Files::COURSES, row.trial);
    let course = match folder.course(&row.trial) {
        Ok(course) => course,
        Err(error) => return audit.unreadable(folder, &file, &row.trial, &error),
    };
    let mut differs = |column: &str, found: f64, right: String| {
        let place = Place::of(Files::TRIALS).trial(&row.trial).column(column);
        audit.add(folder, place, both(&found.to_string(), &right, "its course gives"), Remedy::MakeTrialAgain);
    };
    let counts = course.waits_us.iter().map(|(_, count)| *count);
    let Some(waits) = counts.clone().try_fold(0_u64, u64::checked_add).filter(|waits| *waits <= row.tally.acknowledged)
    else {
        let sum: u128 = counts.map(u128::from).sum();
        let what = format!("add up to {sum}, and its row has {} acknowledged requests", row.tally.acknowledged);
        let place = Place::of(&file).trial(&row.trial).column("waits_us");
        return audit.add(folder, place, what, Remedy::MakeTrialAgain);
    };
    let stretches = course.acknowledged.len();
    if !lasts(&course, row.elapsed_s) {
        differs("elapsed_s", row.elapsed_s, format!("{stretches} stretches of {} ms", course.stretch_ms));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let goodput_per_s = if row.elapsed_s > 0.0 { waits as f64 / row.elapsed_s } else { 0.0 };
    if !is_near(goodput_per_s, row.goodput_per_s) {
        let right = format!("{goodput_per_s}: {waits} acknowledged in {} s", row.elapsed_s);
        differs("goodput_per_s", row.goodput_per_s, right);
    }
    for (column, found_ms, quantile) in [
        ("latency_ms_p50", row.latency.p50, 0.5),
        ("latency_ms_p99", row.latency.p99, 0.99),
        ("latency_ms_p999", row.latency.p999, 0.999),
        ("latency_ms_max", row.latency.max, 1.0),
    ] {
        let Some((from_us, to_us)) = range_us(&course, quantile) else { continue };
        let (from_ms, to_ms) = (ms(from_us), ms(to_us));
        if !(from_ms..=to_ms).contains(&found_ms) {
            differs(column, found_ms, format!("a value from {from_ms} to {to_ms}"));
        }
    }
}

/// Whether the stretches of a course are as many as fill this time; one more or less where the time ends on a border.
fn lasts(course: &Course, elapsed_s: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "times and counts are far below 2^53")]
    let (stretch_s, stretches) = (course.stretch_ms as f64 / 1e3, course.acknowledged.len() as f64);
    let slack = 1e-6;
    (stretches - 1.0) * stretch_s <= elapsed_s + slack && elapsed_s < stretches * stretch_s + slack
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

#[expect(clippy::cast_precision_loss, reason = "waits are far below 2^53 microseconds")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// Between which waits a quantile lies, as far as two digits tell; none if a wait is longer than any that is told apart.
fn range_us(course: &Course, quantile: f64) -> Option<(u64, u64)> {
    let mut waits = Histogram::<u64>::new_with_bounds(1, LONGEST_US, DIGITS).ok()?;
    for (us, count) in &course.waits_us {
        waits.record_n(*us, *count).ok()?;
    }
    let value = waits.value_at_quantile(quantile);
    Some((waits.lowest_equivalent(value), waits.highest_equivalent(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_knows_its_length_and_its_waits_to_two_digits() {
        // Three stretches of 10 ms last from 20 to 30 ms.
        let course = Course {
            stretch_ms: 10,
            acknowledged: vec![1, 0, 2],
            waits_us: vec![(500, 2), (90_111, 1)],
            ..Course::default()
        };
        let lengths = [0.0199, 0.0201, 0.0299, 0.0301].map(|elapsed_s| lasts(&course, elapsed_s));
        assert_eq!(lengths, [false, true, true, false]);
        let (from, to) = range_us(&course, 0.5).unwrap();
        assert!(from <= 500 && 500 <= to && to - from < 5, "{from} {to}");
        let (from, to) = range_us(&course, 1.0).unwrap();
        assert!(from <= 90_111 && 90_111 <= to && to - from < 1_000, "{from} {to}");
    }
}
