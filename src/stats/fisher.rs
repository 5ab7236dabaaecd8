//! Whether two rates of violations differ by more than chance.

/// Tables that are as likely as the one seen, up to rounding, count as unlikely as it is.
const TOLERANCE: f64 = 1e-7;

/// The two-sided p-value for `cases_a` in `n_a` against `cases_b` in `n_b`: how likely it is, if the rates are the same, that
/// the cases fall on the two sides in a way that is no more likely than this one.
///
/// Source: R. A. Fisher, "On the interpretation of χ² from contingency tables, and the calculation of P", Journal of the Royal
/// Statistical Society 85(1), 1922.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn fisher_exact(cases_a: u64, n_a: u64, cases_b: u64, n_b: u64) -> f64 {
    let cases = cases_a + cases_b;
    let (least, most) = (cases.saturating_sub(n_b), cases.min(n_a));
    // The next table's weight from the one before: hypergeometric weights differ by a ratio of small numbers.
    let ratio = |k: u64| {
        let (k, cases, n_a, n_b) = (k as f64, cases as f64, n_a as f64, n_b as f64);
        (n_a - k) * (cases - k) / ((k + 1.0) * (n_b - cases + k + 1.0))
    };
    // Weights beside that of the table seen, which is 1. What is too small to count on one side ends the walk there.
    let up = (cases_a..most).scan(1.0, |weight, k| {
        *weight *= ratio(k);
        Some(*weight)
    });
    let down = (least..cases_a).rev().scan(1.0, |weight, k| {
        *weight /= ratio(k);
        Some(*weight)
    });
    let (mut all, mut unlikely) = (1.0_f64, 1.0_f64);
    for weight in up.chain(down).filter(|weight| weight.is_finite()) {
        all += weight;
        if weight <= 1.0 + TOLERANCE {
            unlikely += weight;
        }
    }
    // A table whose neighbours are more likely than any number can tell is as good as impossible.
    if all.is_finite() { (unlikely / all).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{TOLERANCE, fisher_exact};
    use statrs::distribution::{Discrete, Hypergeometric};

    #[test]
    fn the_test_has_its_published_values() {
        // R's fisher.test: the lady tasting tea, 3 of 4 against 1 of 4; and convictions of twins (Fisher 1925), 2 of 17 against 10 of 13.
        assert!((fisher_exact(3, 4, 1, 4) - 0.485_714_285_714).abs() < 1e-9);
        assert!((fisher_exact(2, 17, 10, 13) - 0.000_536_724_119).abs() < 1e-9);
        assert_eq!(fisher_exact(0, 100, 0, 100), 1.0);
    }

    #[test]
    fn agrees_with_the_hypergeometric_distribution_of_statrs() {
        for (cases_a, n_a, cases_b, n_b) in
            [(3, 40, 9, 50), (0, 300, 7, 200), (30, 100, 45, 120), (250, 2_100, 180, 2_100)]
        {
            let cases = cases_a + cases_b;
            let all = Hypergeometric::new(n_a + n_b, cases, n_a).unwrap();
            let seen = all.pmf(cases_a);
            let weights = (cases.saturating_sub(n_b)..=cases.min(n_a)).map(|k| all.pmf(k));
            let expected: f64 = weights.filter(|weight| *weight <= seen * (1.0 + TOLERANCE)).sum();
            let found = fisher_exact(cases_a, n_a, cases_b, n_b);
            assert!((found - expected).abs() < 1e-9, "{cases_a}/{n_a} {cases_b}/{n_b}: {found} {expected}");
        }
    }

    #[test]
    fn extremes_of_large_runs_have_an_answer() {
        let far = fisher_exact(0, 1_000_000, 500_000, 1_000_000);
        assert!((0.0..1e-100).contains(&far), "{far}");
        let none = fisher_exact(500, 1_000_000, 500, 1_000_000);
        assert!(none > 0.9, "{none}");
    }
}
