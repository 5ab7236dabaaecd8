//! Figures as they stand in tables.

/// A share as per cent, with two significant digits, rounded up: it is a bound.
pub(super) fn bound(share: f64) -> String {
    let digits = if share < 0.001 { 3 } else { usize::from(share < 0.1) + 1 };
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(2));
    format!("{:.digits$}%", (share * 100.0 * scale).ceil() / scale)
}

/// A share as per cent, to about three digits.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent >= 10.0 => format!("{percent:.1} %"),
        percent if percent >= 0.1 => format!("{percent:.2} %"),
        percent => format!("{percent:.3} %"),
    }
}

/// A figure to about three digits; nothing if it is none.
pub(super) fn three_digits(figure: Option<f64>) -> String {
    match figure.filter(|figure| figure.is_finite()) {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(figure) if figure.abs() >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure.abs() >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}

/// A range of figures, to about three digits.
pub(super) fn range(low: f64, high: f64) -> String {
    let (low, high) = (three_digits(Some(low)), three_digits(Some(high)));
    if low == high { low } else { format!("{low} to {high}") }
}

/// Digits with thousands set apart.
#[must_use]
pub fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_up() {
        assert_eq!(bound(3.0 / 2_400.0), "0.13%");
        assert_eq!(bound(3.0 / 100.0), "3.00%");
        assert_eq!(bound(3.0 / 1_000_000.0), "0.001%");
        assert_eq!(bound(1.0), "100.0%");
    }

    #[test]
    fn figures_have_about_three_digits() {
        assert_eq!(
            [percent(0.0), percent(0.085), percent(0.5), percent(0.00012)],
            ["0 %", "8.50 %", "50.0 %", "0.012 %"]
        );
        let figures = [None, Some(f64::NAN), Some(1_234.5), Some(12.34), Some(1.234)].map(three_digits);
        assert_eq!(figures, ["", "", "1234", "12.3", "1.23"]);
        assert_eq!(grouped("1512910746"), "1,512,910,746");
    }
}
