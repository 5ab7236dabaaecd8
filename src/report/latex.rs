//! A table in LaTeX, with the rules of booktabs.

use super::table::{Align, Column, Table};

/// What is said around a table.
pub struct Around<'t> {
    pub caption: &'t str,
    /// How to read it, set below; nothing if it is empty.
    pub notes: &'t str,
    /// The command that makes it again.
    pub origin: &'t str,
}

/// A table to paste into a paper whose preamble has `\usepackage{booktabs}` and an encoding of UTF-8. Its label follows from its caption. The
/// names of strategies and of fault levels are set as code.
#[must_use]
pub fn to_latex(table: &Table, around: &Around<'_>) -> String {
    let Around { caption, notes, origin } = around;
    let columns: String =
        table.columns.iter().map(|column| if column.align == Align::Left { 'l' } else { 'r' }).collect();
    let line = |values: Vec<String>| format!("    {} \\\\\n", values.join(" & "));
    let mut out = format!("% {}\n% Needs \\usepackage{{booktabs}}.\n", origin.replace(char::is_control, " "));
    out += &format!("\\begin{{table}}\n  \\centering\\small\n  \\caption{{{}}}\n", escape(caption));
    out += &format!("  \\label{{tab:{}}}\n", label(caption));
    out += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    out += &line(table.columns.iter().map(|column| escape(&column.heading)).collect());
    out += "    \\midrule\n";
    for row in &table.rows {
        let value = |(parts, column): (&Vec<String>, &Column)| match column.heading.as_str() {
            "strategy" | "faults" => format!("\\texttt{{{}}}", escape(&parts.join(", "))),
            _ => escape(&parts.join(", ")),
        };
        out += &line(row.iter().zip(&table.columns).map(value).collect());
    }
    out += "    \\bottomrule\n  \\end{tabular}\n";
    if !notes.is_empty() {
        out += &format!(
            "  \\par\\smallskip\\begin{{minipage}}{{\\linewidth}}\\footnotesize {}\\end{{minipage}}\n",
            escape(notes)
        );
    }
    out + "\\end{table}\n"
}

/// Letters, digits and hyphens of a caption.
fn label(caption: &str) -> String {
    let words = caption.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Text that means nothing to LaTeX.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', letter]),
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "$<$",
            '>' => out += "$>$",
            '–' => out += "--",
            '✓' => out += "$\\surd$",
            '✗' => out += "$\\times$",
            '→' => out += "$\\to$",
            '×' => out += "$\\times$",
            '±' => out += "$\\pm$",
            '≥' => out += "$\\geq$",
            '\n' | '\r' => out.push(' '),
            // Some end a line, or a paragraph; none is a figure.
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strategies_are_code() {
        let mut table = Table::new(&[("strategy", Align::Left), ("faults", Align::Left), ("on", Align::Left)]);
        table.push(["dedup-table", "lost_reply", "✓"].map(|value| vec![value.to_owned()]).to_vec());
        let latex = to_latex(&table, &Around { caption: "x", notes: "", origin: "" });
        assert!(latex.contains("\\texttt{dedup-table} & \\texttt{lost\\_reply} & $\\surd$ \\\\"), "{latex}");
        assert!(!latex.contains("footnotesize"), "{latex}");
    }

    #[test]
    fn what_means_something_to_latex_is_escaped() {
        let mut table = Table::new(&[("a_b", Align::Left), ("n", Align::Right)]);
        table.push(vec![vec!["50% & \\more{}".to_owned()], vec!["<0.1".to_owned()]]);
        let latex = to_latex(&table, &Around { caption: "x#1", notes: "n_1", origin: "oncelab report\nx" });
        assert!(latex.contains("a\\_b & n \\\\"), "{latex}");
        assert!(latex.contains("50\\% \\& \\textbackslash{}more\\{\\} & $<$0.1 \\\\"), "{latex}");
        assert!(latex.contains("\\label{tab:x-1}") && latex.contains("\\footnotesize n\\_1"), "{latex}");
        assert!(latex.starts_with("% oncelab report x\n") && latex.contains("\\begin{tabular}{lr}"));
    }
}
