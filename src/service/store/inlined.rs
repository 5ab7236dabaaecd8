//! Statements with the values of their parameters written in.

/// A number that whatever stands beside it leaves as it is: `::` binds closer than a minus does.
pub(super) fn bracketed(value: i64) -> String {
    if value < 0 { format!("({value})") } else { value.to_string() }
}

/// A statement with values in the places of `$1`, `$2`, …: not in strings, quoted names and comments, nor within a name.
pub(super) fn with_values(text: &str, values: &[String]) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut last = ' ';
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '$' if !(last.is_alphanumeric() || last == '_' || last == '$') => {
                let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                let place = rest[1..=digits].parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                if let Some(value) = place.and_then(|place| values.get(place)) {
                    out.push_str(value);
                    rest = &rest[1 + digits..];
                    last = '0';
                    continue;
                }
                1
            }
            '\'' | '"' => quoted(rest, letter),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => letter.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
        last = letter;
    }
    out
}

/// How long a string or a quoted name is. One with a doubled quote reads as two, which is as good here.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::with_values;

    #[test]
    fn what_only_looks_like_a_parameter_stays() {
        let values = ["1".to_owned(), "2".to_owned()];
        for same in ["'it''s $1'", "\"a$1\"", "a$1", "$12", "$0", "$$", "-- $1", "/* $1", "é$1", "'$1"] {
            assert_eq!(with_values(same, &values), same);
        }
        assert_eq!(with_values("'$1' || $1 -- $2\n+ $2/* $1 */", &values), "'$1' || 1 -- $2\n+ 2/* $1 */");
    }
}
