//! Intervals for the rate of a violation.

/// The upper 95 % bound for a rate of which 0 cases were seen in `n`: 3/n. None if there were none to see.
///
/// Source: the rule of three; J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?",
/// JAMA 249(13), 1983. It approximates 1 - 0.05^(1/n) from above.
#[must_use]
pub fn upper_bound_95(n: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    (n > 0).then(|| (3.0 / n as f64).min(1.0))
}

/// The 95 % interval for a rate of which `cases` were seen in `n`, as a lower and an upper bound. From 0 to 1 if there were
/// none to see.
///
/// Its coverage is 95 % on the average over rates; at single rates it is more or less, since counts are whole numbers (at
/// the worst 83.8 %, where 0.177 cases are expected: just too few for the interval of one case to reach down to them. An
/// interval that never falls below 95 % is too wide on the average).
///
/// Source: the score interval; E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// Journal of the American Statistical Association 22(158), 1927. On its coverage: L. D. Brown, T. T. Cai and A. DasGupta,
/// "Interval estimation for a binomial proportion", Statistical Science 16(2), 2001.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn wilson_95(cases: u64, n: u64) -> (f64, f64) {
    /// The standard normal distribution's quantile at 0.975.
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (rate, n) = (cases as f64 / n as f64, n as f64);
    let middle = (rate + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::{upper_bound_95, wilson_95};
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};
    use statrs::distribution::{Binomial, ContinuousCDF, Discrete, Normal};

    #[test]
    fn the_rule_of_three_bounds_the_exact_bound_from_above() {
        for n in [30_u32, 300, 3_000, 1_000_000] {
            let exact = 1.0 - 0.05_f64.powf(1.0 / f64::from(n));
            let rule = upper_bound_95(n.into()).expect("there were some");
            assert!(rule >= exact && rule < 1.06 * exact, "{n}: {rule} against {exact}");
        }
        assert_eq!(upper_bound_95(0), None);
        assert_eq!(upper_bound_95(2), Some(1.0));
    }

    #[test]
    fn wilsons_interval_has_its_published_values() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, 1998, table I.
        for (cases, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (found_low, found_high) = wilson_95(cases, n);
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{cases} of {n}: {found_low} {found_high}"
            );
        }
        assert_eq!(wilson_95(0, 0), (0.0, 1.0));
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn twenty_intervals_are_the_rates_that_the_score_test_does_not_reject() {
        // Where the interval comes from, without its closed form: a rate is in it if the cases are no more than 1.96 standard
        // deviations, of that rate, from the cases expected. Each end is found by halving 200 times.
        let z = Normal::new(0.0, 1.0).unwrap().inverse_cdf(0.975);
        for n in [1, 7, 100, 4_321, 1_000_000] {
            for cases in [0, n / 50, n / 2, n] {
                let seen = cases as f64 / n as f64;
                let holds = |rate: f64| (seen - rate).powi(2) <= z * z * rate * (1.0 - rate) / n as f64;
                let end = |mut outside: f64| {
                    let mut inside = seen;
                    for _ in 0..200 {
                        let middle = f64::midpoint(outside, inside);
                        *(if holds(middle) { &mut inside } else { &mut outside }) = middle;
                    }
                    inside
                };
                let ((low, high), expected) = (wilson_95(cases, n), (end(0.0), end(1.0)));
                assert!(
                    (low - expected.0).abs() < 1e-12 && (high - expected.1).abs() < 1e-12,
                    "{cases} of {n}: {low} {high}, not {expected:?}"
                );
            }
        }
    }

    #[test]
    fn no_interval_reaches_below_none_or_above_all() {
        // Of no cases the lower end is 0 and of nothing but cases the upper one 1; rounding puts some of them beyond.
        for n in 1..1_000 {
            assert!(
                (0.0..1e-15).contains(&wilson_95(0, n).0) && (1.0 - 1e-15..=1.0).contains(&wilson_95(n, n).1),
                "{n}"
            );
        }
    }

    /// The probability that the interval holds the rate: the sum over the counts whose interval does.
    fn coverage(rate: f64, n: u64) -> f64 {
        let binomial = Binomial::new(rate, n).expect("a rate from 0 to 1");
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let (mean, deviation) = (rate * n as f64, (rate * (1.0 - rate) * n as f64).sqrt());
        // Farther away than this no interval holds the rate.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
        let (from, to) =
            ((mean - 3.0 * deviation - 6.0).max(0.0) as u64, ((mean + 3.0 * deviation + 6.0) as u64).min(n));
        let holds = |cases: &u64| {
            let (low, high) = wilson_95(*cases, n);
            (low..=high).contains(&rate)
        };
        (from..=to).filter(holds).map(|cases| binomial.pmf(cases)).sum()
    }

    /// At a single rate no interval that is a function of the count has just 95 %: where one case is expected, 0 to 2 cases
    /// have a probability of 92.0 %, and 0 to 3 of 98.1 %. So rates and numbers are drawn evenly on a logarithmic scale, and
    /// the mean of the exact coverage is taken: over all of them, and in each decade of rates by each decade of numbers.
    ///
    /// The lowest mean, 93.7 %, is that of the least rates and numbers, where 0.01 to 1 cases are expected and all depends on
    /// whether the interval of one case holds the rate. The coverage there scatters by 3.9 points, so that the mean of 500
    /// draws does by 0.17; elsewhere it is nearer to 95 % and scatters less.
    #[test]
    fn intervals_hold_the_rate_in_95_of_100_cases_on_the_average() {
        const DRAWS: u32 = 500;
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut between = |low: f64, high: f64| low * (high / low).powf(rng.random());
        let mut all = 0.0;
        for rates in [(0.0001, 0.001), (0.001, 0.01), (0.01, 0.1), (0.1, 0.5)] {
            for numbers in [(100.0, 1_000.0), (1_000.0, 10_000.0), (10_000.0, 100_000.0)] {
                let mut draw = || {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 100 to 100,000")]
                    let n = between(numbers.0, numbers.1) as u64;
                    coverage(between(rates.0, rates.1), n)
                };
                let mean = (0..DRAWS).map(|_| draw()).sum::<f64>() / f64::from(DRAWS);
                assert!((0.93..=0.97).contains(&mean), "rates {rates:?}, numbers {numbers:?}: {mean}");
                all += mean / 12.0;
            }
        }
        assert!((0.945..=0.955).contains(&all), "over all: {all}");
    }

    #[test]
    fn the_coverage_is_least_just_below_the_interval_of_one_case() {
        // At its lower end the interval of one case in 100 begins: 0.00176743. A little below, only that of none holds the
        // rate, with a probability of (1 - 0.00176743)^100 = 83.79 %; a little above, that of one case does as well: 98.6 %.
        let (low, _) = wilson_95(1, 100);
        assert!((low - 0.001_767_43).abs() < 1e-8, "{low}");
        assert!((coverage(low * (1.0 - 1e-9), 100) - 0.837_864).abs() < 1e-6);
        assert!((coverage(low * (1.0 + 1e-9), 100) - 0.986_213).abs() < 1e-6);
    }
}
