//! From figures to places: linear and logarithmic scales, and the marks along them.

/// Whether equal distances are equal differences or equal ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleKind {
    Linear,
    Log,
}

/// A scale from one range of figures to one of places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    kind: ScaleKind,
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// A scale that holds all of the figures; on a logarithmic one, those above zero. None if there is none to hold.
    pub fn over(kind: ScaleKind, figures: impl Iterator<Item = f64>, (start, end): (f64, f64)) -> Option<Self> {
        let fits = |figure: &f64| figure.is_finite() && (kind == ScaleKind::Linear || *figure > 0.0);
        let (least, most) = figures
            .filter(fits)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), figure| (least.min(figure), most.max(figure)));
        if least > most {
            return None;
        }
        let (from, to) = match kind {
            ScaleKind::Linear => (least.min(0.0), if most > least.min(0.0) { most } else { least.min(0.0) + 1.0 }),
            ScaleKind::Log => {
                let (low, high) = (least.log10().floor(), most.log10().ceil());
                (10_f64.powf(low), 10_f64.powf(if high > low { high } else { low + 1.0 }))
            }
        };
        Some(Scale { kind, from, to, start, end })
    }

    /// Where a figure is. What is beyond an end is at the end.
    pub fn at(&self, figure: f64) -> f64 {
        let share = match self.kind {
            ScaleKind::Linear => (figure - self.from) / (self.to - self.from),
            ScaleKind::Log if figure <= self.from => 0.0,
            ScaleKind::Log => (figure / self.from).log10() / (self.to / self.from).log10(),
        };
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// The figures that are marked along it: decades, or about five round steps.
    pub fn marks(&self) -> Vec<f64> {
        match self.kind {
            ScaleKind::Log => {
                let decades = (self.to / self.from).log10().round();
                let step = (decades / 7.0).ceil().max(1.0);
                let mut marks = Vec::new();
                let mut decade = 0.0;
                while decade <= decades {
                    marks.push(self.from * 10_f64.powf(decade));
                    decade += step;
                }
                marks
            }
            ScaleKind::Linear => {
                let rough = (self.to - self.from) / 5.0;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| *step >= rough);
                let step = step.unwrap_or(power * 10.0);
                let mut marks = Vec::new();
                let mut mark = (self.from / step).ceil() * step;
                while mark <= self.to * (1.0 + 1e-9) {
                    marks.push(mark);
                    mark += step;
                }
                marks
            }
        }
    }
}

/// A figure in a few letters.
pub(super) fn short(figure: f64) -> String {
    let size = figure.abs();
    let trimmed = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if size >= 1e6 => trimmed(format!("{:.1}", figure / 1e6)) + " M",
        _ if size >= 1e4 => trimmed(format!("{:.0}", figure / 1e3)) + " k",
        _ if size >= 100.0 => format!("{figure:.0}"),
        _ if size >= 1.0 => trimmed(format!("{figure:.1}")),
        _ if size >= 1e-3 => trimmed(format!("{figure:.4}")),
        _ => format!("{figure:.0e}"),
    }
}
