//! The middle of some figures, and how far they are from it.

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

/// The median absolute deviation from the median, as it is: times 1.4826 it estimates the standard deviation of figures that
/// are normally distributed. NaN of nothing.
///
/// Source: F. R. Hampel, "The influence curve and its role in robust estimation", Journal of the American Statistical
/// Association 69(346), 1974.
#[must_use]
pub fn mad(values: &[f64]) -> f64 {
    let middle = median(values.iter().copied());
    median(values.iter().map(|value| (value - middle).abs()))
}

#[cfg(test)]
mod tests {
    use super::{mad, median};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn one_wild_value_does_not_move_the_deviation() {
        // The median of 1 1 2 2 4 6 9 is 2; the distances are 1 1 0 0 2 4 7, and their median is 1.
        assert_eq!(mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), 1.0);
        assert_eq!(mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9e9]), 1.0);
        assert!(mad(&[]).is_nan());
    }
}
