//! Tables in a text, each after the comment that makes it.

/// What a comment begins with whose table is made by `oncelab report`.
pub const COMMENT_BEGINS: &str = "<!-- oncelab report ";
/// What it ends with.
pub const COMMENT_ENDS: &str = " -->\n";

/// The text with the table after each comment replaced by what its command makes; left alone where that is nothing.
///
/// # Errors
/// The first that a table is made with.
pub fn with_tables<E>(text: &str, mut make: impl FnMut(&str) -> Result<Option<String>, E>) -> Result<String, E> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(COMMENT_BEGINS) {
        let (before, comment) = rest.split_at(place);
        let Some((arguments, after)) = comment[COMMENT_BEGINS.len()..].split_once(COMMENT_ENDS) else { break };
        let length: usize = after.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
        let (old, after) = after.split_at(length);
        out += before;
        out += &format!("{COMMENT_BEGINS}{arguments}{COMMENT_ENDS}");
        out += make(arguments)?.as_deref().unwrap_or(old);
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::with_tables;

    #[test]
    fn the_table_after_a_comment_is_replaced_and_nothing_else() {
        let text =
            "a\n<!-- oncelab report x --table y -->\n| old |\n| old |\n\nb\n| other |\n<!-- oncelab report z -->\nc\n";
        let mut asked = Vec::new();
        let new = with_tables(text, |arguments| {
            asked.push(arguments.to_owned());
            Ok::<_, ()>(Some("| new |\n".to_owned()))
        });
        let expected =
            "a\n<!-- oncelab report x --table y -->\n| new |\n\nb\n| other |\n<!-- oncelab report z -->\n| new |\nc\n";
        assert_eq!((new.unwrap().as_str(), asked), (expected, vec!["x --table y".to_owned(), "z".to_owned()]));
        assert_eq!(with_tables("<!-- oncelab report", |_| Ok::<_, ()>(None)).unwrap(), "<!-- oncelab report");
    }
}
