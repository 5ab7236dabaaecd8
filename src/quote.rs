//! Text for its reader: names and paths come from files and from users, and must mean nothing to a shell or a terminal.

use std::path::Path;

/// A text as one word of a shell's command: as it is where that is one word already, and quoted where it is not.
#[must_use]
pub fn shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+…".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(obeyed) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    // Only this form can say a character that a terminal would obey.
    let letter = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if obeyed(c) && c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
        c if obeyed(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("$'{}'", text.chars().map(letter).collect::<String>())
}

/// A path as one word of a shell's command; one that begins with a dash cannot be taken for an option.
#[must_use]
pub fn shell_path(path: &Path) -> String {
    let text = path.display().to_string();
    shell(&if text.starts_with('-') { format!("./{text}") } else { text })
}

/// A text without anything that a terminal would obey: such a character is written as JSON does, e.g. `\u001b`. Lines stay lines, and a
/// JSON document stays the same document, since such a character can only stand in one of its texts.
#[must_use]
pub fn printable(text: &str) -> String {
    let is_kept = |c: char| c == '\n' || c == '\t' || !obeyed(c);
    if text.chars().all(is_kept) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_kept(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect()
}

/// Whether a terminal, or whoever looks at it, is led by the character: controls, and what turns the direction of a line.
fn obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_every_word() {
        let words = [
            "results/quick/20261126T161220Z-6c44",
            "my exp;touch x.toml",
            "",
            "it's",
            "$(touch x)`touch y`",
            "a\nb\u{1b}[2J'\\\u{9b}\u{202e}",
            "*?[]{}~#!&|<>\"",
            "-n",
            "päth…",
        ];
        for word in words {
            let script = format!("printf %s {}", shell(word));
            let done =
                std::process::Command::new("bash").env("LC_ALL", "C.UTF-8").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(done.stdout).unwrap(), word, "{script}");
        }
        assert_eq!(shell(words[0]), words[0]);
        assert_eq!(shell_path(Path::new("-rf")), "./-rf");
    }

    #[test]
    fn nothing_that_is_printed_moves_a_terminal() {
        assert_eq!(printable("a\u{1b}[2J\tb\r\n"), "a\\u001b[2J\tb\\u000d\n");
        assert_eq!(printable("\u{9b}2J \u{202e}gnp"), "\\u009b2J \\u202egnp");
        let document = serde_json::to_string(&"\u{1b}\u{9b}\u{7f}\u{202e}").unwrap();
        let plain = printable(&document);
        assert!(plain.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), "\u{1b}\u{9b}\u{7f}\u{202e}");
    }
}
