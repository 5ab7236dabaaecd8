//! Which expressions a sentence may have: figures, and what compares them. A file of some lines must not keep the lab busy, or fill its
//! memory, so there are no loops, lists and filters, and nothing is repeated more often than a table has rows.

/// The largest number that figures are multiplied by, and how often in an expression.
const LARGEST_FACTOR: u32 = 999;
const MOST_FACTORS: usize = 2;

/// What is wrong with the places of a sentence, if anything is.
pub(super) fn places_fault(says: &str) -> Option<String> {
    for block in ["{%", "{#"] {
        if says.contains(block) {
            return Some(format!("`{block}` is not for sentences: a place for a figure is written as `{{{{ … }}}}`"));
        }
    }
    let mut rest = says;
    while let Some(begins) = rest.find("{{") {
        rest = &rest[begins + 2..];
        let (inside, after) = tokens(rest, "}}");
        if let Some(fault) = fault(&inside) {
            return Some(format!("in `{{{{{} …`: {fault}", rest.chars().take(20).collect::<String>()));
        }
        rest = after;
    }
    None
}

/// What is wrong with a condition, if anything is.
pub(super) fn condition_fault(condition: &str) -> Option<String> {
    fault(&tokens(condition, "\0").0)
}

/// A part of an expression, as far as it matters.
#[derive(Debug, Clone, PartialEq)]
enum ExpressionToken {
    /// A name, or a number.
    Word(String),
    /// A text in quotes.
    Text,
    Sign(char),
}

/// The tokens up to this end, and what comes after it.
fn tokens<'t>(text: &'t str, end: &str) -> (Vec<ExpressionToken>, &'t str) {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(end) {
            return (tokens, after);
        }
        let length = match c {
            '"' | '\'' => {
                tokens.push(ExpressionToken::Text);
                length_of_text(rest, c)
            }
            c if c.is_alphanumeric() || c == '_' => {
                let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
                let length = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
                tokens.push(ExpressionToken::Word(rest[..length].to_owned()));
                length
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(ExpressionToken::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    (tokens, "")
}

/// How long a text in these quotes is, quotes included.
fn length_of_text(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn fault(tokens: &[ExpressionToken]) -> Option<String> {
    // For each open bracket, whether it holds the arguments of a call.
    let mut calls = Vec::new();
    let mut factors = 0;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let after = tokens.get(at + 1);
        match token {
            ExpressionToken::Sign('(') => calls.push(matches!(before, Some(ExpressionToken::Word(_)))),
            ExpressionToken::Sign(')') => drop(calls.pop()),
            ExpressionToken::Sign(',') if calls.last() != Some(&true) => {
                return Some("a list is not a figure".to_owned());
            }
            ExpressionToken::Sign(sign @ ('[' | ']' | '{' | '}' | '|')) => {
                return Some(format!("`{sign}` is not for figures"));
            }
            ExpressionToken::Sign('*') => {
                factors += 1;
                if factors > MOST_FACTORS || !(before.is_some_and(is_factor) || after.is_some_and(is_factor)) {
                    return Some(format!(
                        "`*` multiplies a figure by a number up to {LARGEST_FACTOR}, and stands {MOST_FACTORS} times at the most"
                    ));
                }
            }
            ExpressionToken::Word(_) | ExpressionToken::Text | ExpressionToken::Sign(_) => {}
        }
    }
    None
}

fn is_factor(token: &ExpressionToken) -> bool {
    let ExpressionToken::Word(word) = token else { return false };
    word.split('.').next().and_then(|whole| whole.parse::<u32>().ok()).is_some_and(|factor| factor <= LARGEST_FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_what_compares_them_are_expressions() {
        let sentences = [
            "[[a]] did {{ count(\"a\", \"duplicate\", at=\"loss=0.0,pause<1\") }} of {{ requests('a') }} | so (it, is).",
            "{{ \"}} | [\" }} and {{ 2 * (per_s(\"a\") - per_s(\"b\")) }} {single} }}",
        ];
        for sentence in sentences {
            assert_eq!(places_fault(sentence), None, "{sentence}");
        }
        for condition in
            ["2 * count(\"a\", \"b\") > count(\"a\", \"c\") and not once(\"a\")", "share(\"a\", \"b\") * 0.5 < 1"]
        {
            assert_eq!(condition_fault(condition), None, "{condition}");
        }
    }

    #[test]
    fn what_could_go_on_for_ever_or_fill_the_memory_is_refused() {
        let sentences = [
            "{% for a in range(9) %}x{% endfor %}",
            "{# a",
            "{{ [1] * 9 }}",
            "{{ (1, 2) }}",
            "{{ row(\"a\")|upper }}",
            "{{ {1: 2} }}",
            "{{ \"x\" * 100000000 }}",
            "{{ 999 * 999 * 999 * \"x\" }}",
            "fine {{ a }} and {{ \"x\\\"\" ~ [1] }}",
        ];
        for sentence in sentences {
            assert!(places_fault(sentence).is_some(), "{sentence}");
        }
        for condition in ["1 in [1]", "count(\"a\") * count(\"b\") > 1", "(1,) == 1", "store()|length"] {
            assert!(condition_fault(condition).is_some(), "{condition}");
        }
    }
}
