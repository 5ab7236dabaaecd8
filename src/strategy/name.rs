//! The grammar of names: of strategies, experiments and fault levels. They name files and folders, stand in commands, tables and pages.

/// The most letters of a name.
pub const LONGEST_NAME: usize = 64;

/// What is wrong with a name, if anything is: it has from 1 to [`LONGEST_NAME`] of the letters a to z, A to Z, digits, `-` and `_`, and
/// begins with a letter or a digit.
#[must_use]
pub fn name_fault(name: &str) -> Option<String> {
    let shown: String = name.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect();
    let refuse = |why: &str| Some(format!("'{shown}' {why}"));
    if name.is_empty() {
        return refuse("cannot be a name: a name has at least one letter");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return refuse("cannot be a name: use letters, digits, '-' and '_' only, since it names files");
    }
    if !name.as_bytes()[0].is_ascii_alphanumeric() {
        return refuse(
            "cannot be a name: begin with a letter or a digit, since a command takes other words for options",
        );
    }
    if name.len() > LONGEST_NAME {
        let length = name.len();
        return Some(format!(
            "'{shown}…' cannot be a name: it has {length} letters, and a name may have {LONGEST_NAME}, since it names files"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_that_files_and_commands_can_have() {
        let longest = "x".repeat(LONGEST_NAME);
        for name in ["a", "dedup-table", "own_2", "2nd", &longest] {
            assert_eq!(name_fault(name), None);
        }
        let cases = [
            ("", "at least one letter"),
            ("../a", "letters, digits"),
            ("a b", "letters, digits"),
            ("ä", "letters, digits"),
            ("a\u{1b}[2J", "letters, digits"),
            ("-rf", "begin with a letter"),
            ("_a", "begin with a letter"),
        ];
        for (name, part) in cases {
            let said = name_fault(name).unwrap();
            assert!(said.contains(part) && !said.contains('\u{1b}'), "{said}");
        }
        let long = name_fault(&"x".repeat(300)).unwrap();
        assert!(long.contains("300 letters") && long.len() < 200, "{long}");
    }
}
