//! Overrides: `--set key=value` changes a single setting of an experiment before it is read.

use super::ExperimentError;

/// Changes one setting, e.g. `load.requests=500`. An element of a list is named by its `name`, as in
/// `faults.lossy.store.reply_lost=0.1`, or by its place.
pub(super) fn apply(table: &mut toml::Table, setting: &str) -> Result<(), ExperimentError> {
    let refuse = |why: NoPlace| ExperimentError::WrongSetting { setting: setting.to_owned(), what: why.to_string() };
    let (key, value) = setting.split_once('=').ok_or(NoPlace::NoKey).map_err(refuse)?;
    *place(table, key.trim()).map_err(refuse)? = value_of(value.trim());
    Ok(())
}

/// Why a setting cannot be made.
#[derive(Debug, thiserror::Error)]
enum NoPlace {
    #[error("write it as key=value, e.g. load.requests=500")]
    NoKey,
    #[error("no entry of that list is named `{0}`")]
    NotInList(String),
    #[error("`{0}` cannot be set: the part of the key before it names a single value")]
    SingleValue(String),
}

/// The value at a key, made if it is not there yet; or why there can be none.
fn place<'t>(table: &'t mut toml::Table, key: &str) -> Result<&'t mut toml::Value, NoPlace> {
    let empty = || toml::Value::Table(toml::Table::new());
    let mut parts = key.split('.');
    let first = parts.next().filter(|first| !first.is_empty()).ok_or(NoPlace::NoKey)?;
    let mut here = table.entry(first).or_insert_with(empty);
    for part in parts {
        here = match here {
            toml::Value::Table(inner) => inner.entry(part).or_insert_with(empty),
            toml::Value::Array(elements) => {
                element(elements, part).ok_or_else(|| NoPlace::NotInList(part.to_owned()))?
            }
            _ => return Err(NoPlace::SingleValue(part.to_owned())),
        };
    }
    Ok(here)
}

/// The element of a list with this name, or at this place.
fn element<'t>(elements: &'t mut [toml::Value], part: &str) -> Option<&'t mut toml::Value> {
    let named = elements.iter().position(|element| element.get("name").and_then(toml::Value::as_str) == Some(part));
    elements.get_mut(named.or_else(|| part.parse().ok())?)
}

/// A value as TOML has it, or else the text itself.
fn value_of(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = format!("value = {text}").parse();
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::apply;

    fn changed(setting: &str) -> Result<String, super::ExperimentError> {
        let mut table: toml::Table = "a = 1\n[[list]]\nname = \"x\"\nb = 2\n[[list]]\nname = \"y\"\n".parse().unwrap();
        apply(&mut table, setting)?;
        Ok(table.to_string())
    }

    #[test]
    fn a_setting_finds_its_place() {
        assert!(changed("a=5").unwrap().contains("a = 5"));
        assert!(changed("list.x.b=[3, 4]").unwrap().contains("b = [3, 4]"));
        assert!(changed("list.1.c.d=word").unwrap().contains("d = \"word\""));
        assert!(changed("new.e = true").unwrap().contains("[new]\ne = true"));
    }

    #[test]
    fn a_setting_without_a_place_says_why() {
        let refusal = |setting| changed(setting).unwrap_err().to_string();
        assert!(refusal("a").contains("key=value"));
        assert!(refusal("=1").contains("key=value"));
        assert!(refusal("list.z.b=1").contains("no entry of that list is named `z`"));
        assert!(refusal("a.b=1").contains("single value"));
    }
}
