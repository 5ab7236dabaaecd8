//! "Did you mean …": the nearest of some names to one that is not among them.

/// The nearest name, if it is near enough that a slip of the finger may explain the difference.
///
/// Nearness is the Damerau–Levenshtein distance; up to a third of the letters may differ.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(given, name);
    let near = names.into_iter().map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, name)| *distance <= name.len().max(given.len()).div_ceil(3)).map(|(_, name)| name)
}

/// ` (did you mean 'x'?)`, or nothing.
#[must_use]
pub fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!(" (did you mean '{name}'?)"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let names = ["dedup-table", "dedup-table-statement", "etcd-lock"];
        assert_eq!(nearest("dedup-tabel", names), Some("dedup-table"));
        assert_eq!(nearest("etcdlock", names), Some("etcd-lock"));
        assert_eq!(nearest("kafka", names), None);
    }
}
