//! What holds for every plot, and the places of what is drawn.

use super::curves::spread;
use super::scale::{Scale, short};
use super::*;

const NASTY: &str = "<script>alert('&\"')</script>";

fn rate(label: &str, rate: f64) -> RateRow {
    RateRow {
        label: label.to_owned(),
        rate,
        low: rate / 2.0,
        high: rate * 2.0,
        note: NASTY.to_owned(),
        is_bound: rate == 0.0,
    }
}

fn series(label: &str, points: &[(f64, f64)]) -> Series {
    Series {
        label: label.to_owned(),
        points: points.to_vec(),
        band: Some(points.iter().map(|(_, y)| (y / 2.0, y * 2.0)).collect()),
    }
}

/// Every plot, of ordinary, of nasty and of broken figures.
fn all(figure: f64) -> Vec<String> {
    let axis = |kind| CurveAxis { label: NASTY.to_owned(), kind };
    let lines = [series(NASTY, &[(0.1, 1.0), (0.5, figure)]), series("b", &[(0.0, 0.0), (0.99, 3.0)])];
    let timeline = Timeline {
        label: NASTY.to_owned(),
        stretch_s: 0.5,
        per_s: vec![1.0, figure, 3.0],
        shades: vec![Shade { from_s: 0.2, until_s: figure, label: NASTY.to_owned() }],
        faults_s: vec![0.3, figure],
    };
    let heat_axis = HeatAxis { label: NASTY.to_owned(), values: vec![NASTY.to_owned(), "2".to_owned()] };
    let cell = |value| Some(HeatCell { value, text: NASTY.to_owned(), note: NASTY.to_owned() });
    let bar = |value| Bar { label: NASTY.to_owned(), value, interval: Some((value / 2.0, value)), tone: Tone::Bad };
    vec![
        intervals(NASTY, NASTY, &[rate(NASTY, figure), rate("zero", 0.0)]),
        bars("b", NASTY, NASTY, &[bar(figure), bar(2.0)]),
        curves("c", NASTY, &axis(ScaleKind::Log), &axis(ScaleKind::Log), &lines),
        curves("d", NASTY, &axis(ScaleKind::Linear), &axis(ScaleKind::Linear), &lines),
        percentiles("e", NASTY, &lines),
        timelines("f", NASTY, &[timeline]),
        heat("g", NASTY, &heat_axis, &heat_axis, &[vec![cell(figure), None], vec![cell(0.0), cell(2.0)]], NASTY),
    ]
}

/// Whether every element that begins also ends, in order.
fn is_balanced(svg: &str) -> bool {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn plots_are_well_formed_and_names_cannot_break_out() {
    for svg in all(0.5) {
        assert!(is_balanced(&svg), "{svg}");
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
    }
    assert!(!is_balanced("<a><b></a></b>"), "the test can fail");
}

#[test]
fn figures_that_are_none_are_left_out() {
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for svg in all(broken) {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{broken}: {svg}");
        }
    }
}

#[test]
fn nothing_to_draw_is_said() {
    let axis = HeatAxis { label: String::new(), values: vec![] };
    let none = [
        intervals("a", "t", &[]),
        bars("a", "t", "u", &[]),
        percentiles("a", "t", &[]),
        timelines("a", "t", &[]),
        heat("a", "t", &axis, &axis, &[], ""),
    ];
    assert!(none.iter().all(|svg| svg.contains("nothing to draw") && is_balanced(svg)));
}

#[test]
fn a_decade_is_as_long_as_any_other() {
    // From 0.01 to 10 there are three decades: 1 is two thirds of the way.
    let scale = Scale::over(ScaleKind::Log, [0.02, 7.0, 0.0, -1.0].into_iter(), (0.0, 300.0)).unwrap();
    assert!((scale.at(1.0) - 200.0).abs() < 1e-9);
    assert_eq!((scale.at(0.0), scale.at(1e9)), (0.0, 300.0));
    assert_eq!(scale.marks().len(), 4);
    let linear = Scale::over(ScaleKind::Linear, [80.0, 20.0].into_iter(), (0.0, 80.0)).unwrap();
    assert_eq!(linear.at(20.0), 20.0);
    assert_eq!(linear.marks(), [0.0, 20.0, 40.0, 60.0, 80.0]);
}

#[test]
fn labels_are_spread_without_overlap() {
    let places = spread(&[10.0, 11.0, 12.0, 99.0, 100.0], 16.0, (0.0, 100.0));
    let mut sorted = places.clone();
    sorted.sort_by(f64::total_cmp);
    assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 16.0 - 1e-9), "{places:?}");
    assert!(places.iter().all(|place| (0.0..=100.0).contains(place)), "{places:?}");
}

#[test]
fn figures_are_short() {
    let cases = [
        (0.0, "0"),
        (0.0005, "5e-4"),
        (0.05, "0.05"),
        (1.5, "1.5"),
        (250.0, "250"),
        (12_345.0, "12 k"),
        (2.5e6, "2.5 M"),
    ];
    for (figure, text) in cases {
        assert_eq!(short(figure), text);
    }
}
