//! A table in LaTeX, with the rules of booktabs.

use super::table::{Align, Table};

/// A table to paste into a paper whose preamble has `\usepackage{booktabs}` and an encoding of UTF-8. `origin` is the command that
/// makes it again.
#[must_use]
pub fn to_latex(table: &Table, caption: &str, origin: &str) -> String {
    let columns: String =
        table.columns.iter().map(|column| if column.align == Align::Left { 'l' } else { 'r' }).collect();
    let line = |values: Vec<String>| format!("    {} \\\\\n", values.join(" & "));
    let mut out = format!("% {}\n% Needs \\usepackage{{booktabs}}.\n", origin.replace(char::is_control, " "));
    out += &format!("\\begin{{table}}\n  \\centering\\small\n  \\caption{{{}}}\n", escape(caption));
    out += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    out += &line(table.columns.iter().map(|column| escape(&column.heading)).collect());
    out += "    \\midrule\n";
    for row in &table.rows {
        out += &line(row.iter().map(|parts| escape(&parts.join(", "))).collect());
    }
    out + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
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
    fn what_means_something_to_latex_is_escaped() {
        let mut table = Table::new(&[("a_b", Align::Left), ("n", Align::Right)]);
        table.push(vec![vec!["50% & \\more{}".to_owned()], vec!["<0.1".to_owned()]]);
        let latex = to_latex(&table, "x#1", "oncelab report\nx");
        assert!(latex.contains("a\\_b & n \\\\"), "{latex}");
        assert!(latex.contains("50\\% \\& \\textbackslash{}more\\{\\} & $<$0.1 \\\\"), "{latex}");
        assert!(latex.starts_with("% oncelab report x\n") && latex.contains("\\begin{tabular}{lr}"));
    }
}
