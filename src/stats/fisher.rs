//! Whether two rates of violations differ by more than chance.

/// How much more likely than the one seen a table may be and still count as no more likely: rounding parts equal ones. R's
/// `fisher.test` allows as much.
const TOLERANCE: f64 = 1e-7;

/// The two-sided p-value for `cases_a` in `n_a` against `cases_b` in `n_b`: how likely it is, if the rates are the same, that
/// the cases fall on the two sides in a way that is no more likely than this one. 0 where that is less than 1e-300.
///
/// Source: R. A. Fisher, "The logic of inductive inference", Journal of the Royal Statistical Society 98(1), 1935. Which ways
/// count on the other side: J. O. Irwin, "Tests of significance for differences between percentages based on small numbers",
/// Metron 12(2), 1935.
///
/// # Panics
///
/// If there are more cases than there were to see.
#[must_use]
pub fn fisher_exact(cases_a: u64, n_a: u64, cases_b: u64, n_b: u64) -> f64 {
    assert!(cases_a <= n_a && cases_b <= n_b, "{cases_a} cases in {n_a}, and {cases_b} in {n_b}");
    let tables = Contingency { cases: cases_a + cases_b, n_a, n_b };
    // All weights are relative to that of a table in the middle. From there they only fall, so that a walk outwards may end
    // where they are too small for a number: after some 40 standard deviations, not after all tables of a million.
    let middle = tables.middle();
    let up = || tables.weights_above(middle);
    let down = || tables.weights_below(middle);
    let seen = if cases_a >= middle {
        std::iter::once((middle, 1.0)).chain(up()).find(|(k, _)| *k == cases_a)
    } else {
        down().find(|(k, _)| *k == cases_a)
    };
    let Some((_, seen)) = seen else { return 0.0 };
    let (mut all, mut unlikely) = (0.0, 0.0);
    for (_, weight) in std::iter::once((middle, 1.0)).chain(up()).chain(down()) {
        all += weight;
        if weight <= seen * (1.0 + TOLERANCE) {
            unlikely += weight;
        }
    }
    unlikely / all
}

/// All ways in which the cases can fall on the two sides. One is told by how many fall on side a.
struct Contingency {
    cases: u64,
    n_a: u64,
    n_b: u64,
}

impl Contingency {
    /// About the most likely table: the cases are divided as the trials are.
    fn middle(&self) -> u64 {
        // The product of two large counts is beyond 64 bits.
        let share = u128::from(self.cases) * u128::from(self.n_a) / u128::from((self.n_a + self.n_b).max(1));
        u64::try_from(share).expect("a share of the cases is no more than all")
    }

    /// How much more likely k + 1 cases on side a are than k: hypergeometric.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn ratio(&self, k: u64) -> f64 {
        let (k, cases, n_a, n_b) = (k as f64, self.cases as f64, self.n_a as f64, self.n_b as f64);
        (n_a - k) * (cases - k) / ((k + 1.0) * (n_b - cases + k + 1.0))
    }

    fn weights_above(&self, middle: u64) -> impl Iterator<Item = (u64, f64)> {
        let most = self.cases.min(self.n_a);
        (middle..most).scan(1.0, |weight, k| {
            *weight *= self.ratio(k);
            (*weight > f64::MIN_POSITIVE).then_some((k + 1, *weight))
        })
    }

    fn weights_below(&self, middle: u64) -> impl Iterator<Item = (u64, f64)> {
        let least = self.cases.saturating_sub(self.n_b);
        (least..middle).rev().scan(1.0, |weight, k| {
            *weight /= self.ratio(k);
            (*weight > f64::MIN_POSITIVE).then_some((k, *weight))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{TOLERANCE, fisher_exact};
    use statrs::distribution::{Discrete, Hypergeometric};

    #[test]
    fn the_test_has_its_published_values() {
        // R's fisher.test: the lady tasting tea, 3 of 4 against 1 of 4, which is (2·16 + 2·1) / C(8, 4) = 34/70; and
        // convictions of twins (Fisher 1935), 2 of 17 against 10 of 13.
        assert!((fisher_exact(3, 4, 1, 4) - 34.0 / 70.0).abs() < 1e-12);
        assert!((fisher_exact(2, 17, 10, 13) - 0.000_536_724_119).abs() < 1e-12);
    }

    #[test]
    fn no_cases_or_no_trials_show_no_difference() {
        for (cases_a, n_a, cases_b, n_b) in [(0, 100, 0, 100), (9, 9, 4, 4), (0, 0, 3, 7), (0, 0, 0, 0)] {
            assert_eq!(fisher_exact(cases_a, n_a, cases_b, n_b), 1.0, "{cases_a}/{n_a} {cases_b}/{n_b}");
        }
    }

    #[test]
    fn agrees_with_the_hypergeometric_distribution_of_statrs() {
        let mut compared = 0;
        let mut compare = |cases_a: u64, n_a: u64, cases_b: u64, n_b: u64| {
            let cases = cases_a + cases_b;
            let all = Hypergeometric::new(n_a + n_b, cases, n_a).unwrap();
            // In logarithms: `pmf` is no number where the choices are more than a number can hold.
            let pmf = |k: u64| all.ln_pmf(k).exp();
            let seen = pmf(cases_a);
            let weights = (cases.saturating_sub(n_b)..=cases.min(n_a)).map(pmf);
            let expected: f64 = weights.filter(|weight| *weight <= seen * (1.0 + TOLERANCE)).sum();
            let found = fisher_exact(cases_a, n_a, cases_b, n_b);
            assert!((found - expected).abs() < 1e-9, "{cases_a}/{n_a} {cases_b}/{n_b}: {found} {expected}");
            compared += 1;
        };
        // Every table of so few: (7 + 1) · (9 + 1) of unequal sides, 9 · 9 of equal ones, where tables are equally likely.
        for (n_a, n_b) in [(7, 9), (8, 8)] {
            for (cases_a, cases_b) in (0..=n_a).flat_map(|a| (0..=n_b).map(move |b| (a, b))) {
                compare(cases_a, n_a, cases_b, n_b);
            }
        }
        for (cases_a, n_a, cases_b, n_b) in
            [(3, 40, 9, 50), (0, 300, 7, 200), (30, 100, 45, 120), (250, 2_100, 180, 2_100)]
        {
            compare(cases_a, n_a, cases_b, n_b);
        }
        assert_eq!(compared, 80 + 81 + 4);
    }

    #[test]
    fn one_side_alone_in_a_million_has_its_closed_form() {
        // All of k cases on one of two equal sides: each is there with a probability of about a half, so 2 · 2^-k, less by
        // a factor of about 1 - k²/(4n): 2.5e-5 for k = 10 and n = 10^6.
        let found = fisher_exact(10, 1_000_000, 0, 1_000_000);
        assert!((found * 512.0 - 1.0 + 2.25e-5).abs() < 1e-7, "{found}");
        // As few on the one side as on the other: all tables are no more likely.
        assert!((fisher_exact(500_000, 1_000_000, 500_000, 1_000_000) - 1.0).abs() < 1e-12);
        assert_eq!(fisher_exact(0, 1_000_000, 500_000, 1_000_000), 0.0);
    }

    #[test]
    #[should_panic(expected = "3 cases in 2")]
    fn more_cases_than_trials_are_a_bug() {
        let _ = fisher_exact(3, 2, 0, 2);
    }
}
