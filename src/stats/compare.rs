//! Whether two sets of trials differ by more than chance.

/// From so many values on the distribution is approximated.
const EXACT_UP_TO: usize = 60;

/// The two-sided p-value of the rank-sum test: how likely it is that ranks are divided at least this unevenly, if the two sets
/// are of one kind. None if either is empty.
///
/// Exact by counting all divisions of the ranks, ties included (they have the mean of their ranks); beyond 60 values by
/// the normal approximation with corrections for ties and continuity.
///
/// Source: F. Wilcoxon 1945; H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is stochastically
/// larger than the other", Annals of Mathematical Statistics 18(1), 1947.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let ranks = doubled_ranks(a, b);
    let sum: usize = ranks[..a.len()].iter().sum();
    let all: usize = ranks.iter().sum();
    // Twice n times the mean of the sum, so that everything stays whole: n·sum - n_a·all is its distance from the mean.
    let (n, n_a) = (ranks.len(), a.len());
    let distance = (n * sum).abs_diff(n_a * all);
    Some(if n <= EXACT_UP_TO { exact(&ranks, n_a, distance) } else { approximate(&ranks, n_a, distance) })
}

/// Twice the ranks of all values, those of `a` first. Equal values have the mean of their ranks, which twice is whole.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let below = |value: f64| all.iter().filter(|other| **other < value).count();
    let equal = |value: f64| all.iter().filter(|other| **other == value).count();
    all.iter().map(|value| 2 * below(*value) + equal(*value) + 1).collect()
}

/// The share of all divisions whose rank sum is at least this far from its mean.
fn exact(ranks: &[usize], n_a: usize, distance: usize) -> f64 {
    let all: usize = ranks.iter().sum();
    // ways[k][s]: how many sets of k ranks have the sum s.
    let mut ways = vec![vec![0.0_f64; all + 1]; n_a + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for k in (1..=n_a).rev() {
            for sum in (*rank..=all).rev() {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let is_far = |sum: &usize| (ranks.len() * sum).abs_diff(n_a * all) >= distance;
    let far: f64 = (0..=all).filter(is_far).map(|sum| ways[n_a][sum]).sum();
    (far / ways[n_a].iter().sum::<f64>()).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "ranks and their sums are far below 2^53")]
fn approximate(ranks: &[usize], n_a: usize, distance: usize) -> f64 {
    let (n, n_a) = (ranks.len() as f64, n_a as f64);
    let mean = ranks.iter().sum::<usize>() as f64 / n;
    let variance = ranks.iter().map(|rank| (*rank as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let deviation = (n_a * (n - n_a) / n * variance).sqrt();
    if deviation == 0.0 {
        return 1.0;
    }
    // Ranks are doubled: half a rank is 1.
    let z = ((distance as f64 / n - 1.0).max(0.0)) / deviation;
    (2.0 * upper_tail(z)).min(1.0)
}

/// How likely it is that a standard normal variable exceeds `z` ≥ 0, to 7.5e-8.
///
/// Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.2.17.
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let polynomial = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

/// The smallest p-value that so many trials on each side can give: 2 of all divisions are the most uneven.
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
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// The same by going through every division.
    fn by_hand(a: &[f64], b: &[f64]) -> f64 {
        let ranks = doubled_ranks(a, b);
        let (n, n_a) = (ranks.len(), a.len());
        let all: usize = ranks.iter().sum();
        let distance = |sum: usize| (n * sum).abs_diff(n_a * all);
        let seen = distance(ranks[..n_a].iter().sum());
        let chosen = |set: usize| (0..n).filter(move |i| set >> i & 1 == 1);
        let sets: Vec<usize> = (0..1_usize << n).filter(|set| chosen(*set).count() == n_a).collect();
        let far = sets.iter().filter(|set| distance(chosen(**set).map(|i| ranks[i]).sum()) >= seen).count();
        far as f64 / sets.len() as f64
    }

    #[test]
    fn the_exact_test_agrees_with_going_through_every_division() {
        let cases: [(&[f64], &[f64]); 4] = [
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]),
            (&[1.0, 5.0, 3.0, 9.0], &[2.0, 2.5, 8.0]),
            (&[1.0, 1.0, 2.0, 2.0], &[2.0, 3.0, 3.0, 1.0, 4.0]),
            (&[7.0; 4], &[7.0; 3]),
        ];
        for (a, b) in cases {
            let found = mann_whitney(a, b).unwrap();
            assert!((found - by_hand(a, b)).abs() < 1e-9, "{a:?} {b:?}: {found}");
        }
    }

    #[test]
    fn the_test_has_its_published_values() {
        // Three and three, apart: 2 of 20 divisions. M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods (1973),
        // p. 69: the depression data of R's wilcox.test, permeability of membranes at term and at 12 to 26 weeks:
        // one-sided p = 0.1272, and so 0.2544 on both sides.
        assert!((mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap() - 0.1).abs() < 1e-12);
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        assert!((mann_whitney(&term, &early).unwrap() - 0.2544).abs() < 1e-4);
        assert_eq!(mann_whitney(&[], &early), None);
    }

    #[test]
    fn the_approximation_meets_the_exact_test_where_it_takes_over() {
        // 30 and 30 values, the second shifted: both ways to the same ranks.
        for shift in [0.0, 3.5, 8.25, 15.5] {
            let a: Vec<f64> = (0..30).map(f64::from).collect();
            let b: Vec<f64> = a.iter().map(|value| value + shift).collect();
            let ranks = doubled_ranks(&a, &b);
            let (sum, all): (usize, usize) = (ranks[..30].iter().sum(), ranks.iter().sum());
            let distance = (60 * sum).abs_diff(30 * all);
            let (exact, approximate) = (exact(&ranks, 30, distance), approximate(&ranks, 30, distance));
            assert!((exact - approximate).abs() < 0.003, "{shift}: {exact} {approximate}");
        }
    }

    #[test]
    fn the_tail_of_the_normal_distribution_is_that_of_statrs() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        for z in [0.0, 0.5, 1.0, 1.959_963_984_540_054, 3.0, 5.0] {
            assert!((upper_tail(z) - normal.sf(z)).abs() < 1e-7, "{z}");
        }
    }

    #[test]
    fn too_few_trials_cannot_show_a_difference() {
        // 5 and 5: C(10, 5) = 252 divisions.
        assert!((smallest_p(5, 5) - 2.0 / 252.0).abs() < 1e-15);
        assert_eq!((smallest_p(1, 1), smallest_p(1, 0)), (1.0, 1.0));
        let (low, high): (Vec<f64>, Vec<f64>) = ((0..5).map(f64::from).collect(), (5..10).map(f64::from).collect());
        assert!((mann_whitney(&low, &high).unwrap() - smallest_p(5, 5)).abs() < 1e-12);
    }

    #[test]
    fn holms_procedure_has_its_published_values() {
        // 0.01·4, 0.02·3, 0.03·2 (not below the one before), 0.04·1 (the same). R: p.adjust(c(.01,.02,.03,.04), "holm").
        let raised = holm(&[0.04, 0.01, 0.03, 0.02]);
        for (found, expected) in raised.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((found - expected).abs() < 1e-12, "{raised:?}");
        }
        assert!(holm(&[]).is_empty());
    }
}
