//! Whether two sets of trials differ by more than chance.

use super::median;

/// From so many values on the distribution is approximated.
const EXACT_UP_TO: usize = 60;

/// The two-sided p-value of the rank-sum test: how likely it is that ranks are divided at least this unevenly, if the two sets
/// are of one kind. None if either is empty.
///
/// Exact by counting all divisions of the ranks, ties included (they have the mean of their ranks), up to 60 values in all;
/// beyond by the normal approximation with corrections for ties and continuity (off by 0.003 where both sides have 30, by 0.01
/// where one has 5, and by 0.11 where one has a single value). It is twice the probability of the less likely
/// side, and not that of all sums as far from the mean: with ties and unequal numbers the far sums may be on one side only,
/// and the p-value would be below [`smallest_p`].
///
/// Source: F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945; H. B. Mann and
/// D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than the other", Annals of
/// Mathematical Statistics 18(1), 1947. The correction for ties: M. Hollander and D. A. Wolfe,
/// Nonparametric Statistical Methods (1973), section 4.1.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let ranks = doubled_ranks(a, b);
    Some(if ranks.len() <= EXACT_UP_TO { exact(&ranks, a.len()) } else { approximate(&ranks, a.len()) })
}

/// Twice the ranks of all values, those of `a` first. Equal values have the mean of their ranks, which twice is whole.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    // The ranks of equal values go from one more than there are below to as many as there are not above.
    let below = |value: f64| sorted.partition_point(|other| *other < value);
    let not_above = |value: f64| sorted.partition_point(|other| *other <= value);
    all.iter().map(|value| below(*value) + 1 + not_above(*value)).collect()
}

/// Twice the share of all divisions whose rank sum is at most, or at least, that of the first `n_a` ranks.
fn exact(ranks: &[usize], n_a: usize) -> f64 {
    let all: usize = ranks.iter().sum();
    let seen: usize = ranks[..n_a].iter().sum();
    // ways[k][s]: how many sets of k ranks have the sum s. A number may be above 2^53, and is then rounded to one part
    // in 10^16.
    let mut ways = vec![vec![0.0_f64; all + 1]; n_a + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        // From above, so that no rank is counted twice in a set.
        for k in (1..=n_a).rev() {
            for sum in *rank..=all {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let ways = &ways[n_a];
    let (low, high): (f64, f64) = (ways[..=seen].iter().sum(), ways[seen..].iter().sum());
    (2.0 * low.min(high) / ways.iter().sum::<f64>()).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "ranks and their sums are far below 2^53")]
fn approximate(ranks: &[usize], n_a: usize) -> f64 {
    let sum = ranks[..n_a].iter().sum::<usize>() as f64;
    let (n, n_a) = (ranks.len() as f64, n_a as f64);
    let mean = ranks.iter().sum::<usize>() as f64 / n;
    // Of the ranks as they are, equal ones included: this is the correction for ties.
    let variance = ranks.iter().map(|rank| (*rank as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let deviation = (n_a * (n - n_a) / n * variance).sqrt();
    if deviation == 0.0 {
        return 1.0;
    }
    // Ranks are doubled: half a rank is 1.
    let z = ((sum - n_a * mean).abs() - 1.0).max(0.0) / deviation;
    (2.0 * upper_tail(z)).min(1.0)
}

/// How likely it is that a standard normal variable exceeds `z` ≥ 0.
///
/// Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions (1964): the series 26.2.11, z + z³/3 + z⁵/15 and
/// so on; and for large z, where that loses all digits of a small tail, the continued fraction 26.2.14, 1/(z + 1/(z + 2/(z + …
fn upper_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 2.0 {
        let term = |k: u32, above: f64| 1.0 + z * z / f64::from(2 * k + 1) * above;
        0.5 - density * z * (1..=40).rev().fold(1.0, |above, k| term(k, above))
    } else {
        density / (1..=200).rev().fold(z, |below, k| z + f64::from(k) / below)
    }
}

/// The p-value of the rank-sum test for two sets of speeds that differ by more than the share `least`: whether they still differ
/// when the new ones are moved so much nearer to the old; 1 if their medians are no further apart than that. Two runs of one build differ
/// by more than the trials within either show (threads start elsewhere, memory lies elsewhere), and with many trials a plain test finds that.
/// None if either is empty.
///
/// Source: K. R. Murphy and B. Myors, "Testing the hypothesis that treatments have negligible effects: minimum-effect tests in
/// the general linear model", Journal of Applied Psychology 84(2), 1999; on runs as a level of chance of their own, T. Kalibera and
/// R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013.
#[must_use]
pub fn differs_by_more(old: &[f64], new: &[f64], least: f64) -> Option<f64> {
    let (slower, faster) = (1.0 - least, 1.0 / (1.0 - least));
    let ratio = median(new.iter().copied()) / median(old.iter().copied());
    let margin = if ratio < 1.0 { slower } else { faster };
    let moved: Vec<f64> = new.iter().map(|speed| speed / margin).collect();
    let p = mann_whitney(old, &moved)?;
    Some(if (slower..=faster).contains(&ratio) { 1.0 } else { p })
}

/// The smallest p-value that [`mann_whitney`] can give for so many trials on each side: 2 of all divisions are the most
/// uneven. 1 if a side has none. It is that of the exact test; the approximation may go below.
#[must_use]
pub fn smallest_p(n_a: usize, n_b: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of trials")]
    let divisions = (1..=n_a).fold(1.0, |ways, k| ways * (n_b + k) as f64 / k as f64);
    (2.0 / divisions).min(1.0)
}

/// P-values of several tests, raised so that one in twenty whole tables, and not one in twenty rows, shows a difference
/// where there is none.
///
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut raised, mut highest) = (vec![1.0; p.len()], 0.0_f64);
    for (place, index) in order.into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "numbers of tests")]
        let times = (p.len() - place) as f64;
        highest = highest.max(p[index] * times).min(1.0);
        raised[index] = highest;
    }
    raised
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// The same by going through every division: twice the share on the less likely side.
    fn by_hand(a: &[f64], b: &[f64]) -> f64 {
        let all: Vec<f64> = a.iter().chain(b).copied().collect();
        let n = all.len();
        // Mann and Whitney's own count, in halves: how often the first set's values are above the second's, equal ones half.
        let count = |set: usize| -> u32 {
            let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
            let pairs = pairs.filter(|(i, j)| set >> i & 1 == 1 && set >> j & 1 == 0);
            pairs.map(|(i, j)| u32::from(all[i] > all[j]) + u32::from(all[i] >= all[j])).sum()
        };
        let seen = count((1 << a.len()) - 1);
        let sets = (0..1_usize << n).filter(|set| set.count_ones() as usize == a.len());
        let counts: Vec<u32> = sets.map(count).collect();
        let low = counts.iter().filter(|count| **count <= seen).count();
        let high = counts.iter().filter(|count| **count >= seen).count();
        (2.0 * low.min(high) as f64 / counts.len() as f64).min(1.0)
    }

    #[test]
    fn the_exact_test_agrees_with_going_through_every_division() {
        let cases: [(&[f64], &[f64]); 7] = [
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]),
            (&[1.0, 5.0, 3.0, 9.0], &[2.0, 2.5, 8.0]),
            (&[1.0, 1.0, 2.0, 2.0], &[2.0, 3.0, 3.0, 1.0, 4.0]),
            (&[7.0; 4], &[7.0; 3]),
            (&[-0.0, 1.0, 2.0], &[0.0, 0.0, 3.0, 4.0]),
            (&[6.0, 9.0], &[1.0, 2.0, 2.0, 2.0, 5.0, 6.0, 6.0]),
            (&[1.0], &[2.0, 2.0, 2.0]),
        ];
        for (a, b) in cases {
            let found = mann_whitney(a, b).unwrap();
            assert!((found - by_hand(a, b)).abs() < 1e-9, "{a:?} {b:?}: {found}");
        }
    }

    #[test]
    fn the_test_has_its_published_values() {
        // Three and three, apart: 2 of 20 divisions. M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods (1973),
        // p. 69, and R's wilcox.test: permeability of membranes at term and at 12 to 26 weeks, one-sided p = 0.1272, and so
        // 0.2544 on both sides.
        assert!((mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap() - 0.1).abs() < 1e-12);
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        assert!((mann_whitney(&term, &early).unwrap() - 0.2544).abs() < 1e-4);
        assert_eq!(mann_whitney(&[], &early), None);
    }

    #[test]
    fn the_test_has_the_values_of_mann_and_whitneys_table() {
        // Table I of 1947: the one-sided probabilities of 0, 1, 2 and so on wins of the first side. Twice that on both sides;
        // rounding to three digits puts it off by up to 0.001.
        let table: [(usize, usize, &[f64]); 3] = [
            (3, 5, &[0.018, 0.036, 0.071, 0.125, 0.196, 0.286, 0.393, 0.500]),
            (4, 4, &[0.014, 0.029, 0.057, 0.100, 0.171, 0.243, 0.343, 0.443]),
            (5, 5, &[0.004, 0.008, 0.016, 0.028, 0.048, 0.075, 0.111, 0.155, 0.210, 0.274, 0.345, 0.421, 0.500]),
        ];
        for (n_a, n_b, probabilities) in table {
            for (wins, probability) in probabilities.iter().enumerate() {
                // The last wins/n_b values of the first side win against all of the second, one more against the rest.
                let won = |i: usize| (wins + i * n_b).saturating_sub(n_b * (n_a - 1)).min(n_b);
                let a: Vec<f64> = (0..n_a).map(|i| won(i) as f64 + 0.5 + i as f64 / 100.0).collect();
                let b: Vec<f64> = (1..=n_b).map(|j| j as f64).collect();
                let found = mann_whitney(&a, &b).unwrap();
                assert!((found - 2.0 * probability).abs() < 0.001_01, "{n_a} {n_b} {wins}: {found}");
            }
        }
    }

    #[test]
    fn the_approximation_meets_the_exact_test_where_it_takes_over() {
        // 30 and 30 values, the second shifted, and with ties in tens: both ways to the same ranks. They differ most, by
        // 0.0034, with ties and p = 0.25: there sums come in steps of about five and the correction is for steps of one.
        for shift in [0.0, 3.5, 8.25, 15.5, 20.0] {
            let a: Vec<f64> = (0..30).map(f64::from).collect();
            let b: Vec<f64> = a.iter().map(|value| value + shift).collect();
            let in_tens = |values: &[f64]| values.iter().map(|value| (value / 10.0).floor()).collect::<Vec<_>>();
            for ranks in [doubled_ranks(&a, &b), doubled_ranks(&in_tens(&a), &in_tens(&b))] {
                let (exact, approximate) = (exact(&ranks, 30), approximate(&ranks, 30));
                assert!((exact - approximate).abs() < 0.004, "{shift}: {exact} {approximate}");
            }
        }
    }

    #[test]
    fn more_than_60_values_are_approximated() {
        // 31 and 30 values without ties, 1 to 31 against 32 to 61: the sum is 31·30/2 = 465 from its mean, and its deviation
        // sqrt(31·30·62/12) = sqrt(4,805); half a rank is the correction: z = 464.5 / 69.318 = 6.70, and p = 2.1e-11.
        let (a, b): (Vec<f64>, Vec<f64>) = ((1..=31).map(f64::from).collect(), (32..=61).map(f64::from).collect());
        let expected = 2.0 * Normal::new(0.0, 1.0).unwrap().sf(464.5 / 4_805.0_f64.sqrt());
        let found = mann_whitney(&a, &b).unwrap();
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        assert_eq!(mann_whitney(&[2.0; 40], &[2.0; 40]), Some(1.0));
    }

    #[test]
    fn the_tail_of_the_normal_distribution_is_that_of_statrs() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        for z in [0.0, 0.5, 1.0, 1.959_963_984_540_054, 2.0, 3.0, 4.5, 10.0, 20.0] {
            assert!((upper_tail(z) / normal.sf(z) - 1.0).abs() < 1e-9, "{z}: {} {}", upper_tail(z), normal.sf(z));
        }
    }

    #[test]
    fn too_few_trials_cannot_show_a_difference() {
        // 5 and 5: C(10, 5) = 252 divisions.
        assert!((smallest_p(5, 5) - 2.0 / 252.0).abs() < 1e-15);
        assert_eq!((smallest_p(1, 1), smallest_p(1, 0)), (1.0, 1.0));
        let (low, high): (Vec<f64>, Vec<f64>) = ((0..5).map(f64::from).collect(), (5..10).map(f64::from).collect());
        assert!((mann_whitney(&low, &high).unwrap() - smallest_p(5, 5)).abs() < 1e-12);
        // One below three equal ones: with all of 4 divisions on one side, 1/4 would be below 2 / C(4, 1).
        assert!((mann_whitney(&[1.0], &[2.0; 3]).unwrap() - smallest_p(1, 3)).abs() < 1e-12);
    }

    #[test]
    fn a_difference_is_shown_if_it_is_more_than_what_matters() {
        let old: Vec<f64> = (100..110).map(f64::from).collect();
        let times = |by: f64| old.iter().map(|speed| speed * by).collect::<Vec<_>>();
        let p = |by: f64, least: f64| differs_by_more(&old, &times(by), least).unwrap();
        // A tenth less, and no two overlap: certain as a difference, and as one of more than 0.5 %; as one of more than 8 % it is not.
        assert!(p(0.9, 0.0) < 1e-4 && p(0.9, 0.005) < 1e-4 && p(0.9, 0.08) > 0.05);
        // Below what matters, whatever the test would say: 4 % either way.
        assert_eq!((p(0.96, 0.05), p(1.04, 0.05)), (1.0, 1.0));
        assert!(p(0.8, 0.05) < 1e-4 && p(1.25, 0.05) < 1e-4);
        assert_eq!(differs_by_more(&old, &[], 0.05), None);
    }

    #[test]
    fn holm_multiplies_the_least_most_and_keeps_the_order() {
        // 0.01·4, 0.02·3, 0.03·2 (not below the one before), 0.04·1 (the same). R: p.adjust(c(.01,.02,.03,.04), "holm").
        let raised = holm(&[0.04, 0.01, 0.03, 0.02]);
        assert_eq!(raised.len(), 4);
        for (found, expected) in raised.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((found - expected).abs() < 1e-12, "{raised:?}");
        }
        // At most 1, and never below a smaller one: 0.3·3 = 0.9, 0.6·2 = 1.2, 0.7·1 = 0.7.
        for (found, expected) in holm(&[0.6, 0.7, 0.3]).iter().zip([1.0, 1.0, 0.9]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn ranks_begin_at_one_and_equal_values_share_theirs() {
        // 1 2 2 5 have the ranks 1, 2.5, 2.5 and 4.
        assert_eq!(doubled_ranks(&[2.0, 1.0], &[5.0, 2.0]), [5, 2, 8, 5]);
    }
}
