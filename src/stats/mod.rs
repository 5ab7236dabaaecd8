//! Statistics, each with its source.

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
/// Source: the score interval; E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// Journal of the American Statistical Association 22(158), 1927.
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

/// The median: the middle value, or the mean of the two in the middle. NaN of nothing.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{median, upper_bound_95, wilson_95};

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
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
