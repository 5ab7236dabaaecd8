//! Changes to valid files that get past the first error of a parser: lines, numbers and words, not only bytes.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Numbers at the ends of what types hold, and what is no number.
const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "-1",
    "2",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e308",
    "1e-308",
    "nan",
    "inf",
    "0.5",
    "-0",
];

/// Letters that mean something to one reader or another.
const LETTERS: &str = "\"'`\\$;|&<>()[]{}=.,:#%*?!~+- \t\n\r\0\u{1b}\u{7f}\u{9b}\u{e9}\u{202e}\u{1f600}";

/// Draws changes from a seed.
pub struct Mutator {
    random: ChaCha8Rng,
}

impl Mutator {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Mutator { random }
    }

    /// A number below this one; 0 of none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.random.random_range(0..end) }
    }

    /// One of these.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A change of a text, or up to four. The others of its kind give lines and words.
    pub fn text(&mut self, text: &str, others: &[&str]) -> Vec<u8> {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            text = match self.below(14) {
                0 | 1 => self.number(&text),
                2 => self.word(&text, others),
                3 => self.swapped_words(&text),
                4 => self.letter(&text),
                5 => self.removed_line(&text),
                6 => self.doubled_line(&text),
                7 => self.swapped_lines(&text),
                8 => self.line_of_another(&text, others),
                9 => self.spliced(&text, others),
                10 => self.removed_part(&text),
                11 => self.doubled_part(&text),
                12 => self.value_of_another_line(&text),
                _ => self.word(&text, others),
            };
            text.truncate(text.floor_char_boundary(1 << 18));
        }
        let mut bytes = text.into_bytes();
        if self.below(8) == 0 {
            bytes = self.bytes(bytes);
        }
        bytes
    }

    /// Bits and bytes of anything.
    pub fn bytes(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
            }
        }
        bytes
    }

    fn replace(text: &str, part: (usize, usize), with: &str) -> String {
        format!("{}{with}{}", &text[..part.0], &text[part.1..])
    }

    /// Parts of letters of one kind, each with its ends.
    fn parts(text: &str, is_inside: impl Fn(char) -> bool) -> Vec<(usize, usize)> {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for (at, c) in text.char_indices().filter(|(_, c)| is_inside(*c)) {
            match parts.last_mut() {
                Some(last) if last.1 == at => last.1 = at + c.len_utf8(),
                _ => parts.push((at, at + c.len_utf8())),
            }
        }
        parts
    }

    fn number(&mut self, text: &str) -> String {
        let numbers = Self::parts(text, |c| c.is_ascii_digit());
        if numbers.is_empty() {
            return text.to_owned();
        }
        let part = numbers[self.below(numbers.len())];
        Self::replace(text, part, self.one(&NUMBERS))
    }

    fn words(text: &str) -> Vec<(usize, usize)> {
        Self::parts(text, |c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    }

    fn word(&mut self, text: &str, others: &[&str]) -> String {
        let (here, other) = (Self::words(text), self.one(others));
        let there = Self::words(other);
        if here.is_empty() || there.is_empty() {
            return text.to_owned();
        }
        let (part, (from, to)) = (here[self.below(here.len())], there[self.below(there.len())]);
        Self::replace(text, part, &other[from..to])
    }

    fn swapped_words(&mut self, text: &str) -> String {
        let words = Self::words(text);
        if words.len() < 2 {
            return text.to_owned();
        }
        let (mut one, mut other) = (words[self.below(words.len())], words[self.below(words.len())]);
        if one > other {
            (one, other) = (other, one);
        }
        if one == other {
            return text.to_owned();
        }
        let (first, second) = (text[one.0..one.1].to_owned(), text[other.0..other.1].to_owned());
        Self::replace(&Self::replace(text, other, &first), one, &second)
    }

    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.below(text.len() + 1))
    }

    fn letter(&mut self, text: &str) -> String {
        let letters: Vec<char> = LETTERS.chars().collect();
        let letter = letters[self.below(letters.len())].to_string();
        let at = self.place(text);
        let to = if self.below(2) == 0 { at } else { text.ceil_char_boundary((at + 1).min(text.len())) };
        Self::replace(text, (at, to), &letter)
    }

    fn lines(text: &str) -> Vec<&str> {
        text.split_inclusive('\n').collect()
    }

    fn removed_line(&mut self, text: &str) -> String {
        let mut lines = Self::lines(text);
        if !lines.is_empty() {
            lines.remove(self.below(lines.len()));
        }
        lines.concat()
    }

    fn doubled_line(&mut self, text: &str) -> String {
        let mut lines = Self::lines(text);
        if !lines.is_empty() {
            let at = self.below(lines.len());
            let times = if self.below(8) == 0 { 40 } else { 1 };
            (0..times).for_each(|_| lines.insert(at, lines[at]));
        }
        lines.concat()
    }

    fn swapped_lines(&mut self, text: &str) -> String {
        let mut lines = Self::lines(text);
        if !lines.is_empty() {
            let (one, other) = (self.below(lines.len()), self.below(lines.len()));
            lines.swap(one, other);
        }
        lines.concat()
    }

    fn line_of_another(&mut self, text: &str, others: &[&str]) -> String {
        let (mut lines, other) = (Self::lines(text), Self::lines(self.one(others)));
        if !other.is_empty() {
            lines.insert(self.below(lines.len() + 1), other[self.below(other.len())]);
        }
        lines.concat()
    }

    fn spliced(&mut self, text: &str, others: &[&str]) -> String {
        let (here, there) = (Self::lines(text), Self::lines(self.one(others)));
        let (to, from) = (self.below(here.len() + 1), self.below(there.len() + 1));
        [&here[..to], &there[from..]].concat().concat()
    }

    fn part(&mut self, text: &str) -> (usize, usize) {
        let from = self.place(text);
        let length = self.below(24);
        (from, text.ceil_char_boundary((from + length).min(text.len())))
    }

    fn removed_part(&mut self, text: &str) -> String {
        let part = self.part(text);
        Self::replace(text, part, "")
    }

    fn doubled_part(&mut self, text: &str) -> String {
        let (from, to) = self.part(text);
        let times = if self.below(8) == 0 { 100 } else { 2 };
        Self::replace(text, (from, to), &text[from..to].repeat(times))
    }

    /// What stands after `=` or `:` in one line, in the place of what stands there in another.
    fn value_of_another_line(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = Self::lines(text).into_iter().map(str::to_owned).collect();
        if lines.is_empty() {
            return text.to_owned();
        }
        let (one, other) = (self.below(lines.len()), self.below(lines.len()));
        let split = |line: &str| line.find(['=', ':']).map(|at| (line[..=at].to_owned(), line[at + 1..].to_owned()));
        if let (Some((key, _)), Some((_, value))) = (split(&lines[one]), split(&lines[other])) {
            lines[one] = key + &value;
        }
        lines.concat()
    }
}
