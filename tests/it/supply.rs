//! The supply chain: the lock file and the licences of what is built are held to `deny.toml`, every dependency says why it is
//! there, and what is ready for a build script is what it would have made. All without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use prost::Message;
use serde::Deserialize;
use serde_json::Value;

use crate::documents::{read, root};

/// The crates in the lock file, on all platforms, at the most: a dependency that brings more along is a decision.
const MOST_CRATES: usize = 403;

/// What this file reads of `deny.toml`. cargo-deny refuses keys that it does not know.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    sources: Sources,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
    allow_registry: Vec<String>,
    allow_git: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bans {
    multiple_versions: String,
    skip: Vec<Skip>,
}

/// A version that may stand beside a newer one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    #[serde(rename = "crate")]
    version: String,
    reason: String,
}

fn deny() -> Deny {
    toml::from_str(&read("deny.toml").text).unwrap()
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

fn lock() -> Vec<Locked> {
    let Lock { package } = toml::from_str(&read("Cargo.lock").text).unwrap();
    package
}

/// The packages that are built on this platform, with their own manifests' words.
fn packages() -> Vec<Value> {
    let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    packages
}

/// If an SPDX expression can be met with these licences alone. `/` is how `OR` was written once.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    fn alternatives(words: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &BTreeSet<String>) -> bool {
        let mut met = false;
        loop {
            let mut all = true;
            loop {
                let word = words.next().expect("a licence");
                all &= if word == "(" {
                    let inner = alternatives(words, allowed);
                    assert_eq!(words.next().as_deref(), Some(")"));
                    inner
                } else if words.next_if(|word| word == "WITH").is_some() {
                    allowed.contains(&format!("{word} WITH {}", words.next().expect("an exception")))
                } else {
                    allowed.contains(&word)
                };
                if words.next_if(|word| word == "AND").is_none() {
                    break;
                }
            }
            met |= all;
            if words.next_if(|word| word == "OR").is_none() {
                return met;
            }
        }
    }
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter().peekable();
    let met = alternatives(&mut words, allowed);
    assert_eq!(words.next(), None, "{expression}");
    met
}

#[test]
fn a_licence_expression_is_met_by_one_alternative_and_by_all_of_its_parts() {
    let allowed = ["MIT", "ISC"].map(str::to_owned).into();
    for met in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "MIT AND ISC", "(GPL-3.0 OR ISC) AND MIT", "A WITH B OR MIT"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT WITH B", "mit"] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn every_licence_is_allowed_and_every_allowed_licence_is_needed() {
    let allowed = deny().licenses.allow;
    let (mut seen, mut needed) = (0, BTreeSet::new());
    for package in packages().iter().filter(|package| !package["source"].is_null()) {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} does not say its licence"));
        assert!(is_met(licence, &allowed), "{name}: {licence}");
        let without = |one: &String| {
            let others = allowed.iter().filter(|other| *other != one).cloned().collect();
            !is_met(licence, &others)
        };
        needed.extend(allowed.iter().filter(|one| without(one)).cloned());
        seen += 1;
    }
    assert!(seen >= 250, "{seen}");
    assert_eq!(needed, allowed, "deny.toml allows a licence that nothing has");
}

#[test]
fn every_crate_comes_from_the_one_registry_with_its_checksum() {
    let Sources { unknown_registry, unknown_git, allow_registry, allow_git } = deny().sources;
    assert_eq!((unknown_registry.as_str(), unknown_git.as_str(), allow_git.len()), ("deny", "deny", 0));
    let mut own = Vec::new();
    for Locked { name, source, checksum, .. } in lock() {
        let Some(source) = source else {
            own.push(name);
            continue;
        };
        let registry = source.strip_prefix("registry+").unwrap_or_else(|| panic!("{name}: {source}"));
        assert!(allow_registry.iter().any(|allowed| allowed == registry), "{name}: {source}");
        assert!(checksum.is_some_and(|sum| sum.len() == 64), "{name}");
    }
    assert_eq!(own, ["oncelab", "oncelab-benches", "oncelab-examples"]);
}

#[test]
fn a_crate_has_two_versions_for_a_reason_only() {
    let Bans { multiple_versions, skip } = deny().bans;
    assert_eq!(multiple_versions, "deny");
    let mut skipped: BTreeMap<&str, &str> = BTreeMap::new();
    for Skip { version, reason } in &skip {
        assert!(reason.len() >= 8, "{version} has no reason");
        assert!(skipped.insert(version, reason).is_none(), "{version} twice");
    }
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Locked { name, version, .. } in lock() {
        versions.entry(name).or_default().push(version);
    }
    for (name, versions) in versions {
        let count = versions.len();
        let named = versions.iter().filter(|version| skipped.remove(format!("{name}@{version}").as_str()).is_some());
        let left = count - named.count();
        assert_eq!(
            left, 1,
            "{name} has the versions {versions:?}: deny.toml names all but the newest, each with its reason"
        );
    }
    assert!(skipped.is_empty(), "deny.toml names what is not in the lock file: {skipped:?}");
}

#[test]
fn the_lock_file_does_not_grow_unseen() {
    let count = lock().len();
    assert!(count <= MOST_CRATES, "{count} crates; more than {MOST_CRATES} need a reason");
}

#[test]
fn every_direct_dependency_says_why_it_is_there() {
    let document = read("docs/dependencies.md").text;
    let explained: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut direct = BTreeSet::new();
    for manifest in ["Cargo.toml", "benches/Cargo.toml", "examples/Cargo.toml"] {
        let manifest: toml::Table = toml::from_str(&read(manifest).text).unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            direct.extend(
                manifest
                    .get(section)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flat_map(|table| table.keys().cloned()),
            );
        }
    }
    direct.remove("oncelab");
    assert!(direct.len() >= 35, "{direct:?}");
    assert_eq!(explained, direct.iter().map(String::as_str).collect());
}

/// Which of the package's dependencies each feature switches on, by the name of the dependency; nothing for those that are always there.
fn feature_of_each(manifest: &toml::Table) -> BTreeMap<String, String> {
    let is_optional = |value: &toml::Value| value.get("optional").and_then(toml::Value::as_bool) == Some(true);
    let dependencies = manifest["dependencies"].as_table().unwrap().iter();
    dependencies
        .map(|(name, value)| {
            let switches = |parts: &toml::Value| {
                parts.as_array().unwrap().iter().any(|part| part.as_str() == Some(&format!("dep:{name}")))
            };
            let mut features = manifest["features"].as_table().unwrap().iter().filter(|(_, parts)| switches(parts));
            let feature = features.next().map(|(feature, _)| format!("`{feature}`")).unwrap_or_default();
            assert_eq!(
                is_optional(value),
                !feature.is_empty(),
                "{name} is optional and belongs to a feature, or neither"
            );
            assert_eq!(features.next(), None, "{name} belongs to one feature");
            (name.clone(), feature)
        })
        .collect()
}

#[test]
fn the_document_names_the_feature_of_each_dependency() {
    let document = read("docs/dependencies.md").text;
    let (_, lab) = document.split_once("## The lab").unwrap();
    let (lab, _) = lab.split_once("## The tests").unwrap();
    let rows = lab.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let named: BTreeMap<String, String> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split('|').next().unwrap().trim().to_owned())).collect();
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml").text).unwrap();
    let features = feature_of_each(&manifest);
    assert_eq!(named, features);
    // A ninth needs a reason: the authors of strategies build it too.
    assert_eq!(features.values().filter(|feature| feature.is_empty()).count(), 8);
}

// The parts of protoc's answer that say what a protocol is (google/protobuf/descriptor.proto).

#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Described>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Enum>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
    #[prost(message, repeated, tag = "3")]
    messages: Vec<Described>,
    #[prost(message, repeated, tag = "4")]
    enums: Vec<Enum>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Enum {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    values: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValue {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    number: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<Method>,
}

#[derive(Clone, PartialEq, Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
}

/// What a file declares, in alphabetical order: `message Range`, `rpc Put`, `limit = 3`.
fn declared(file: &File) -> Vec<String> {
    fn of_enums(enums: &[Enum], all: &mut Vec<String>) {
        for Enum { name, values } in enums {
            all.push(format!("enum {name}"));
            all.extend(values.iter().map(|EnumValue { name, number }| format!("{name} = {number}")));
        }
    }
    fn of_messages(messages: &[Described], all: &mut Vec<String>) {
        for Described { name, fields, messages, enums } in messages {
            all.push(format!("message {name}"));
            all.extend(fields.iter().map(|Field { name, number }| format!("{name} = {number}")));
            of_messages(messages, all);
            of_enums(enums, all);
        }
    }
    let mut all = Vec::new();
    of_messages(&file.messages, &mut all);
    of_enums(&file.enums, &mut all);
    for Service { name, methods } in &file.services {
        all.push(format!("service {name}"));
        all.extend(methods.iter().map(|Method { name }| format!("rpc {name}")));
    }
    all.sort();
    all
}

/// The same, out of the file's text.
fn written(text: &str) -> Vec<String> {
    let without_comments: String =
        text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join(" ");
    let spaced = ['{', '}', ';', '[', ']', '(', ')', '=']
        .iter()
        .fold(without_comments, |text, mark| text.replace(*mark, &format!(" {mark} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut all = Vec::new();
    for three in words.windows(3) {
        match three {
            [kind @ ("message" | "enum" | "service" | "rpc"), name, "{" | "("] => all.push(format!("{kind} {name}")),
            [name, "=", number] if number.parse::<u32>().is_ok() => all.push(format!("{name} = {number}")),
            [..] => {}
        }
    }
    all.sort();
    all
}

#[test]
fn the_protocol_that_is_ready_for_etcd_clients_build_is_etcd_clients() {
    let folder = root().join(".cargo");
    let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let ready: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "binpb")).collect();
    let [ready] = ready.as_slice() else { panic!("{ready:?}") };
    let bytes = std::fs::read(ready).unwrap();
    let packages = packages();
    let client = packages.iter().find(|package| package["name"] == "etcd-client").unwrap();
    let protocol = Path::new(client["manifest_path"].as_str().unwrap()).parent().unwrap().join("proto");

    let files = FileSet::decode(bytes.as_slice()).unwrap().files;
    let mut declarations = 0;
    for file in &files {
        let text = std::fs::read_to_string(protocol.join(&file.name)).unwrap();
        let (found, expected) = (declared(file), written(&text));
        assert_eq!(found, expected, "{}", file.name);
        declarations += found.len();
    }
    assert!(files.len() == 5 && declarations >= 450, "{} {declarations}", files.len());

    // The script finds it for these files, and has nothing ready for others.
    let answer = tempfile::tempdir().unwrap();
    let answer = answer.path().join("answer");
    let ask = |names: &[&str]| {
        let mut protoc = Command::new(folder.join("protoc"));
        protoc.env("PATH", "/usr/bin:/bin").arg("-o").arg(&answer).arg("-I").arg(&protocol);
        protoc.args(names.iter().map(|name| protocol.join(name))).output().unwrap()
    };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert!(ask(&names).status.success());
    assert_eq!(std::fs::read(&answer).unwrap(), bytes);
}
