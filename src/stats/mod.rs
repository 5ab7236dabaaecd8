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
    use super::{median, upper_bound_95};

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
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
