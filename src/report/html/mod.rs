//! A run as one page that needs nothing else: no network, pictures inline, readable on a phone and in print.

mod pictures;

use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use super::at_each_store::at_each_store;
use super::brief::brief;
use super::guide::guide;
use super::plot::{COLOURS, STYLE, escape};
use super::references::references;
use super::sweep::sweep;
use super::table::{Align, Table};
use super::tables::sections;
use super::{Shown, analysis::told, story_id};
use pictures::Picture;

/// A table as the template takes it.
#[derive(Serialize)]
struct TableView {
    title: String,
    legend: String,
    folded: bool,
    columns: Vec<ColumnView>,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct ColumnView {
    heading: String,
    side: &'static str,
}

#[derive(Serialize)]
struct RowView {
    id: Option<String>,
    cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    text: String,
    class: &'static str,
    /// Says the same as the colour.
    sign: &'static str,
}

#[derive(Serialize, Default)]
struct SectionView {
    name: String,
    title: String,
    svgs: Vec<Picture>,
    tables: Vec<TableView>,
    items: Vec<PageItem>,
    paragraphs: Vec<String>,
}

/// A heading with a text, a command or a picture.
#[derive(Serialize)]
struct PageItem {
    /// What leads to it; several where one story stands for several violations.
    ids: Vec<String>,
    title: String,
    text: String,
    command: String,
    svg: String,
}

/// The page of a run.
#[must_use]
pub fn to_html(shown: &Shown<'_>) -> String {
    let Shown { summary, experiment, meta, .. } = shown;
    let backends = [summary.cells.first().map_or("", |cell| cell.store.as_str()), meta.lock.as_str()].join(" + ");
    let origin: Vec<(String, String)> = shown.origin();
    render(context! {
        title => format!("{}: {backends}", summary.experiment),
        heading => format!("{} on {backends}", summary.experiment),
        when => format!("{}, seed {}", meta.started, meta.seed),
        question => summary.question,
        warnings => shown.warnings(),
        brief => brief(shown.facts),
        sections => views(shown),
        command => meta.command(),
        swept => !experiment.sweep.is_empty(),
        origin => origin,
    })
}

/// The page of all runs in a folder, or any other single table.
#[must_use]
pub fn table_to_html(title: &str, table: &Table, links: &[String]) -> String {
    let mut view = table_view(table, "", "", false);
    // The first value of each row leads to its page.
    let html = |view: &TableView| {
        let head: String =
            view.columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", escape(&column.heading))).collect();
        let row = |(row, link): (&RowView, &String)| {
            let cell = |(n, cell): (usize, &CellView)| {
                let text = escape(&cell.text);
                if n == 0 && !link.is_empty() {
                    format!("<td><a href=\"{}\">{text}</a></td>", escape(link))
                } else {
                    format!("<td>{text}</td>")
                }
            };
            format!("<tr>{}</tr>", row.cells.iter().enumerate().map(cell).collect::<String>())
        };
        let body: String = view.rows.iter().zip(links).map(row).collect();
        format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")
    };
    let body = html(&view);
    view.rows.clear();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{0}</title><style>{1}{2}</style></head><body><h1>{0}</h1>{body}<script>{3}</script></body></html>\n",
        escape(title),
        COLOURS,
        include_str!("page.css"),
        include_str!("page.js")
    )
}

fn render(values: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // Names in double brackets lead to their row.
    environment.add_filter("links", |text: &str| Value::from_safe_string(linked(text)));
    environment
        .add_template("page", include_str!("page.html"))
        .expect("the template is well formed: a test renders it");
    let style = [COLOURS, STYLE, &super::diagram::inline_style(), include_str!("page.css")].concat();
    let page = environment
        .get_template("page")
        .and_then(|page| page.render(context! { style, script => include_str!("page.js"), ..values }));
    page.expect("the template asks for what it is given: a test renders it")
}

/// Text with links in place of names in double brackets.
fn linked(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split("[[").enumerate() {
        match part.split_once("]]").filter(|_| n > 0) {
            Some((name, rest)) => {
                out += &format!("<a href=\"#row-{0}\">{0}</a>{1}", escape(name), escape(rest));
            }
            None => out += &escape(part),
        }
    }
    out
}

fn views(shown: &Shown<'_>) -> Vec<SectionView> {
    let Shown { summary, experiment, .. } = shown;
    let mut views = Vec::new();
    let swept = sweep(summary, experiment);
    if !swept.is_empty() {
        let origin = shown.meta.command();
        let mut view = SectionView {
            name: "sweep".to_owned(),
            title: "Over the settings that vary".to_owned(),
            ..SectionView::default()
        };
        for part in swept {
            view.tables.push(table_view(&part.table, &part.title, "", !part.svg.is_empty()));
            if !part.svg.is_empty() {
                view.svgs.push(Picture { title: part.title, svg: part.svg, origin: origin.clone() });
            }
        }
        views.push(view);
    }
    for section in sections(summary) {
        let many = section.table.rows.len() > 40;
        let mut table = table_view(&section.table, "", section.legend, many);
        if section.name == "matrix" {
            mark_rows(&mut table);
        }
        views.push(SectionView {
            name: section.name.to_owned(),
            title: section.title,
            svgs: pictures::of(section.name, shown),
            tables: vec![table],
            ..SectionView::default()
        });
    }
    views.push(reproduction(shown));
    let mut paragraphs = told(&experiment.analysis, shown.facts);
    paragraphs.extend(references(summary, &experiment.references));
    paragraphs.extend(at_each_store(summary));
    if !paragraphs.is_empty() {
        views.push(SectionView {
            name: "analysis".to_owned(),
            title: "What it means".to_owned(),
            paragraphs,
            ..SectionView::default()
        });
    }
    let advice = guide(shown.facts);
    if !advice.is_empty() {
        let item = |advice: super::Advice| PageItem {
            ids: Vec::new(),
            title: advice.situation,
            text: advice.advice,
            command: String::new(),
            svg: String::new(),
        };
        views.push(SectionView {
            name: "guide".to_owned(),
            title: "Which way to take".to_owned(),
            items: advice.into_iter().map(item).collect(),
            ..SectionView::default()
        });
    }
    views
}

/// How to see each violation that was found, step by step.
fn reproduction(shown: &Shown<'_>) -> SectionView {
    let ids = |story: &super::StoryView| {
        story.violation.split(" and ").map(|kind| story_id(&story.strategy, kind, &story.cause)).collect()
    };
    let items = shown.stories.iter().map(|story| PageItem {
        ids: ids(story),
        title: format!("{}: {} because of {}", story.strategy, story.violation, story.cause),
        text: story.note.clone(),
        command: story.command.clone(),
        svg: story.svg.clone(),
    });
    SectionView {
        name: "reproduce".to_owned(),
        title: "See each violation, step by step".to_owned(),
        items: items.collect(),
        ..SectionView::default()
    }
}

fn table_view(table: &Table, title: &str, legend: &str, folded: bool) -> TableView {
    let side = |align: Align| if align == Align::Left { "left" } else { "right" };
    let cell = |(parts, column): (&Vec<String>, &super::Column)| {
        let text = parts.join(", ");
        let (class, sign) = match (column.heading.as_str(), text.as_str()) {
            ("verdict", "valid") => ("good", "✓"),
            ("verdict", "invalid") => ("bad", "✗"),
            ("verdict", _) => ("warn", "?"),
            ("strategy", _) => ("name", ""),
            _ => (side(column.align), ""),
        };
        CellView { text, class, sign }
    };
    let row = |row: &Vec<Vec<String>>| RowView { id: None, cells: row.iter().zip(&table.columns).map(cell).collect() };
    TableView {
        title: title.to_owned(),
        legend: legend.to_owned(),
        folded,
        columns: table
            .columns
            .iter()
            .map(|column| ColumnView { heading: column.heading.clone(), side: side(column.align) })
            .collect(),
        rows: table.rows.iter().map(row).collect(),
    }
}

/// Gives the first row of each strategy a name that links lead to.
fn mark_rows(table: &mut TableView) {
    let mut seen: Vec<String> = Vec::new();
    let column = table.columns.iter().position(|column| column.heading == "strategy").unwrap_or(0);
    for row in &mut table.rows {
        let name = row.cells[column].text.clone();
        if !seen.contains(&name) {
            row.id = Some(format!("row-{name}"));
            seen.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_links_and_nothing_else_becomes_markup() {
        assert_eq!(linked("[[a]] < b"), "<a href=\"#row-a\">a</a> &lt; b");
        assert_eq!(linked("[[<x>]]"), "<a href=\"#row-&lt;x&gt;\">&lt;x&gt;</a>");
        assert_eq!(linked("a]] [[b"), "a]] b");
    }
}
