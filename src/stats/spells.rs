//! Spells in which a machine is slower or faster: what trials near each other in time have in common.

use super::median;

/// So many trials of other kinds, the nearest in time, tell how fast the machine was.
const NEAR: usize = 4;

/// The medians of kinds and the machine's pace are found from each other, so often in turn.
const TURNS: usize = 3;

/// The speeds of trials with the spells of the machine taken out: each as it would have been at the run's usual pace.
///
/// `trials` are of several kinds, in the order in which they were made: a number for the kind, and a positive speed. How fast
/// the machine was at a trial is the median, over the four trials of other kinds that are nearest in time, of their
/// speeds over the medians of their kinds. A kind is never measured by itself: a trial that alone is slow stays slow. With a single
/// kind nothing tells the machine from it, and the speeds are as they were.
///
/// It takes out what kinds share, and no more. A kind that is slow on its own account, in every trial, does not touch the others, since
/// each trial is compared with the median of its kind. A kind whose trials do not come closer together by it (one that waits for
/// time-outs most of the time does not feel the machine) is left as it is.
///
/// Source: the additive fit by medians, speeds being factors and so terms of logarithms; J. W. Tukey, Exploratory Data Analysis
/// (1977), chapter 11. Here a fit of kinds and a running median over time, in turn.
#[must_use]
pub fn without_spells(trials: &[(usize, f64)]) -> Vec<f64> {
    let kinds = trials.iter().map(|(kind, _)| kind + 1).max().unwrap_or(0);
    let logs: Vec<f64> = trials.iter().map(|(_, speed)| speed.ln()).collect();
    let by_kind = |values: &[f64]| {
        let mut of_kind = vec![Vec::new(); kinds];
        trials.iter().zip(values).for_each(|((kind, _), value)| of_kind[*kind].push(*value));
        of_kind
    };
    let spreads: Vec<f64> = by_kind(&logs).iter().map(|logs| spread(logs)).collect();
    let mut without = logs.clone();
    for _ in 0..TURNS {
        let middles: Vec<f64> = by_kind(&without).into_iter().map(median).collect();
        let off: Vec<(usize, f64)> =
            trials.iter().zip(&logs).map(|((kind, _), log)| (*kind, log - middles[*kind])).collect();
        without = (0..trials.len()).map(|n| logs[n] - around(&off, n)).collect();
        let feels: Vec<bool> =
            by_kind(&without).iter().zip(&spreads).map(|(without, before)| spread(without) < *before).collect();
        for n in (0..trials.len()).filter(|n| !feels[trials[*n].0]) {
            without[n] = logs[n];
        }
    }
    without.into_iter().map(f64::exp).collect()
}

/// The mean distance from the median. The median distance would not see a spell of less than half of the run.
#[expect(clippy::cast_precision_loss, reason = "numbers of trials")]
fn spread(values: &[f64]) -> f64 {
    let middle = median(values.iter().copied());
    values.iter().map(|value| (value - middle).abs()).sum::<f64>() / values.len() as f64
}

/// The median of the nearest trials of other kinds than the n-th's; 0 if there are none. Two that are equally near are both
/// taken.
fn around(off: &[(usize, f64)], n: usize) -> f64 {
    let mut near = Vec::with_capacity(NEAR + 1);
    for distance in 1..off.len() {
        if near.len() >= NEAR {
            break;
        }
        let both = [n.checked_sub(distance), Some(n + distance)];
        let others = both.into_iter().flatten().filter_map(|at| off.get(at)).filter(|(kind, _)| *kind != off[n].0);
        near.extend(others.map(|(_, off)| *off));
    }
    if near.is_empty() { 0.0 } else { median(near) }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
mod tests {
    use super::*;
    use crate::stats::mad;

    /// Three kinds that take turns, with a base speed each, on a machine that goes at `pace` at a time.
    fn run(rounds: usize, pace: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
        (0..3 * rounds).map(|n| (n % 3, [1_000.0, 5_000.0, 300.0][n % 3] * pace(n))).collect()
    }

    fn of(kind: usize, trials: &[(usize, f64)], speeds: &[f64]) -> Vec<f64> {
        trials.iter().zip(speeds).filter(|((of, _), _)| *of == kind).map(|(_, speed)| *speed).collect()
    }

    #[test]
    fn a_steady_machine_is_left_alone() {
        let trials = run(8, |_| 1.0);
        for ((_, before), after) in trials.iter().zip(without_spells(&trials)) {
            assert!((after / before - 1.0).abs() < 1e-12);
        }
        assert!(without_spells(&[]).is_empty());
    }

    #[test]
    fn a_spell_that_all_share_is_taken_out() {
        // A third of the run at 0.7 of the pace: the medians are of the other two thirds. At its edges two of the four neighbours are on
        // either side, and a trial may be off by half of it.
        let slow = |n: usize| if (24..48).contains(&n) { 0.7 } else { 1.0 };
        let trials = run(24, slow);
        let after = without_spells(&trials);
        for (n, ((kind, _), speed)) in trials.iter().zip(&after).enumerate() {
            let edge = [24, 48].iter().any(|edge: &usize| n.abs_diff(*edge) <= 2);
            let base = [1_000.0, 5_000.0, 300.0][*kind];
            assert!(edge || (speed / base - 1.0).abs() < 1e-9, "{n}: {speed} of {base}");
        }
    }

    #[test]
    fn a_machine_that_tires_does_not_spread_the_trials() {
        // From full to half speed over the run: the deviation from the median goes from an eighth to hundredths.
        let tiring = |n: usize| 1.0 - n as f64 / 180.0;
        let trials = run(30, tiring);
        let (raw, after): (Vec<f64>, _) = (trials.iter().map(|(_, speed)| *speed).collect(), without_spells(&trials));
        for kind in 0..3 {
            let relative = |speeds: &[f64]| mad(&of(kind, &trials, speeds)) / median(of(kind, &trials, speeds));
            assert!(relative(&raw) > 0.1 && relative(&after) < 0.02, "{} {}", relative(&raw), relative(&after));
        }
    }

    #[test]
    fn a_kind_that_does_not_feel_the_machine_is_left_alone() {
        // The third waits for time-outs: its speed does not follow the machine, which tires.
        let mut trials = run(30, |n| 1.0 - n as f64 / 180.0);
        for (n, trial) in trials.iter_mut().enumerate().filter(|(_, (kind, _))| *kind == 2) {
            trial.1 = 300.0 + (n % 2) as f64;
        }
        let after = without_spells(&trials);
        for ((_, before), after) in trials.iter().zip(after).filter(|((kind, _), _)| *kind == 2) {
            assert!((after / before - 1.0).abs() < 1e-12, "{before} {after}");
        }
    }

    #[test]
    fn what_one_kind_does_alone_stays() {
        let mut trials = run(9, |_| 1.0);
        // The fifth trial of the second kind, and no other.
        trials[13].1 *= 0.5;
        let after = without_spells(&trials);
        for (n, ((_, before), after)) in trials.iter().zip(&after).enumerate() {
            assert!((after / before - 1.0).abs() < 1e-12, "{n}: {before} {after}");
        }
        // Nor is a kind explained by itself, where its trials follow each other: four in a row, in blocks, the second of the second kind slow.
        let slow = |n: usize| if (16..20).contains(&n) { 0.5 } else { 1.0 };
        let blocks: Vec<(usize, f64)> = (0..36).map(|n| (n / 4 % 3, slow(n))).collect();
        assert!(
            without_spells(&blocks).iter().zip(blocks).all(|(after, (_, before))| (after / before - 1.0).abs() < 1e-12)
        );
        // One kind only: there is nothing to tell it from the machine by.
        let alone = [(0, 4.0), (0, 2.0), (0, 8.0)];
        assert!(
            without_spells(&alone).iter().zip(alone).all(|(after, (_, before))| (after / before - 1.0).abs() < 1e-12)
        );
    }

    #[test]
    fn the_spread_is_the_mean_distance_from_the_median() {
        // The median of 0, 4 and 11 is 4, and the distances are 4, 0 and 7.
        assert!((spread(&[0.0, 11.0, 4.0]) - 11.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_kind_that_comes_no_closer_by_it_is_left_alone() {
        // The second kind, always the same, is tried only while the first is slow: its trials are as close together as before.
        let mut trials = vec![(0, 8.0); 20];
        for _ in 0..3 {
            trials.extend([(0, 4.0), (0, 4.0), (0, 4.0), (1, 5.0)]);
        }
        trials.extend([(0, 4.0); 3]);
        let after = without_spells(&trials);
        for speed in of(1, &trials, &after) {
            assert!((speed - 5.0).abs() < 1e-12, "{speed}");
        }
    }
}
