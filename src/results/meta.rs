//! `meta.json`: where and how a run was made.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::experiment::{Experiment, Point, splits_repeats};
use crate::quote::{shell, shell_path};
use crate::service::LockKind;
use crate::service::provision::Provision;
use crate::strategy::{Strategy, name_fault};
use crate::terms::{Role, Shard, StoreKind};

/// Everything about a run that is not in its experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub schema: u32,
    pub oncelab: String,
    pub experiment: String,
    /// How the experiment was asked for: its name, or the path of its file.
    pub source: String,
    #[serde(with = "as_text")]
    pub seed: u64,
    /// The `--set` options, in order.
    pub settings: Vec<String>,
    /// The strategies that the run was restricted to with `--strategies`; all of the experiment's if none.
    pub only_strategies: Vec<String>,
    /// The fault levels that the run was restricted to with `--faults`; all of the experiment's if none.
    pub only_faults: Vec<String>,
    /// The points of the sweep that the run was restricted to with `--at`; all of them if none.
    #[serde(default)]
    pub only_points: Vec<Point>,
    /// The part of the trials that the run has, if it does not have all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The shards that a merged run is made of, by their numbers; none if it was made in one piece. What is said of the machine besides is
    /// the first shard's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardOrigin>,
    pub trials_planned: usize,
    pub store: String,
    pub lock: String,
    /// The service in each role besides these two that the run's strategies need.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uses: BTreeMap<String, String>,
    /// How servers without a URL were to be had.
    pub provision: String,
    /// The program that etcd ran as, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd_binary: Option<String>,
    /// The strategies that were skipped, each with the reason.
    #[serde(default)]
    pub skipped: BTreeMap<String, String>,
    /// The trials that failed because of their strategy or of a service that they alone need, each with the reason. They have no row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
    /// The SHA-256 of the experiment's file as the run wrote it; none in an older run, which does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_sha256: Option<String>,
    /// UTC, to the second.
    pub started: String,
    pub git_revision: String,
    /// Whether the build had changes that were not committed.
    pub git_dirty: bool,
    pub rustc: String,
    pub profile: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    /// Versions and settings of the backends.
    pub backends: BTreeMap<String, String>,
}

/// Where and when a shard of a merged run was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardOrigin {
    pub shard: Shard,
    /// The name of its folder.
    pub run: String,
    /// UTC, to the second.
    pub started: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    pub trials: usize,
    /// Whether its histories were kept: without them its trials cannot be judged again.
    pub histories: bool,
}

impl ShardOrigin {
    /// A shard as the run with this description would be it, without a name: for tests.
    #[cfg(test)]
    pub(crate) fn of(meta: &Meta, number: u16, of: u16) -> Self {
        ShardOrigin {
            shard: Shard::new(number, of).expect("a test names a shard"),
            run: String::new(),
            started: meta.started.clone(),
            cpu: meta.cpu.clone(),
            cores: meta.cores,
            memory_mib: meta.memory_mib,
            kernel: meta.kernel.clone(),
            trials: 1,
            histories: false,
        }
    }

    /// The machine, in words.
    #[must_use]
    pub fn machine(&self) -> String {
        machine(&self.cpu, self.cores, self.memory_mib, &self.kernel)
    }
}

fn machine(cpu: &str, cores: usize, memory_mib: u64, kernel: &str) -> String {
    format!("{cpu}, {cores} cores, {memory_mib} MiB, kernel {kernel}")
}

impl Meta {
    /// The machines that the run was made on, in words, each once, with the shards that it made where there are several machines.
    #[must_use]
    pub fn machines(&self) -> Vec<String> {
        let mut by_machine: Vec<(String, Vec<String>)> = Vec::new();
        for origin in &self.shards {
            let (machine, number) = (origin.machine(), origin.shard.number().to_string());
            match by_machine.iter_mut().find(|(known, _)| *known == machine) {
                Some((_, numbers)) => numbers.push(number),
                None => by_machine.push((machine, vec![number])),
            }
        }
        match by_machine.as_slice() {
            [] => vec![machine(&self.cpu, self.cores, self.memory_mib, &self.kernel)],
            [(machine, _)] => vec![machine.clone()],
            several => {
                several.iter().map(|(machine, numbers)| format!("{machine} (shards {})", numbers.join(", "))).collect()
            }
        }
    }

    /// How many shards the run's trials were dealt out to: 1 if it was made in one piece.
    #[must_use]
    pub fn shards_in_all(&self) -> u16 {
        let merged = u16::try_from(self.shards.len()).unwrap_or(u16::MAX).max(1);
        self.shard.map_or(merged, Shard::of)
    }

    /// Whether the trials of one repetition were dealt out to several shards. Then a speed is no speed beside another.
    #[must_use]
    pub fn splits_repeats(&self, experiment: &Experiment) -> bool {
        let shards = self.shards_in_all();
        shards > 1 && splits_repeats(shards, experiment.repeats.get())
    }

    /// A description of this machine and this build; the rest is left for the caller to fill in.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Meta {
            schema: super::SCHEMA,
            oncelab: env!("CARGO_PKG_VERSION").to_owned(),
            experiment: String::new(),
            source: String::new(),
            seed: 0,
            settings: Vec::new(),
            only_strategies: Vec::new(),
            only_faults: Vec::new(),
            only_points: Vec::new(),
            shard: None,
            shards: Vec::new(),
            trials_planned: 0,
            store: StoreKind::Sqlite.name().to_owned(),
            lock: LockKind::Embedded.name().to_owned(),
            uses: BTreeMap::new(),
            provision: Provision::default().name().to_owned(),
            etcd_binary: None,
            skipped: BTreeMap::new(),
            failed: BTreeMap::new(),
            experiment_sha256: None,
            started: now(),
            git_revision: env!("ONCELAB_GIT_REVISION").to_owned(),
            git_dirty: env!("ONCELAB_GIT_DIRTY") == "true",
            rustc: env!("ONCELAB_RUSTC").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse::<u64>()
                .map_or(0, |kib| kib / 1024),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            backends: BTreeMap::new(),
        }
    }

    /// The command that makes this run again.
    #[must_use]
    pub fn command(&self) -> String {
        let command = self.command_for(&self.only_strategies, &self.only_faults, &self.only_points);
        self.shard.map_or(command.clone(), |shard| format!("{command} --shard {shard}"))
    }

    /// The command that makes the trials of these strategies, fault levels and points again; of all, where none is named.
    #[must_use]
    pub fn command_for(&self, strategies: &[String], faults: &[String], points: &[Point]) -> String {
        let mut command = format!("oncelab run {} --seed {}", shell_path(Path::new(&self.source)), self.seed);
        for setting in &self.settings {
            let word = shell(setting);
            // In quotes always: most settings have something that a shell reads, and all should look alike.
            command.push_str(&if word == *setting { format!(" --set '{word}'") } else { format!(" --set {word}") });
        }
        if self.store != StoreKind::Sqlite.name() {
            command.push_str(&format!(" --store {}", self.store));
        }
        if self.lock_kind() != LockKind::Embedded {
            command.push_str(&format!(" --lock {}", self.lock));
        }
        for (role, service) in self.uses.iter().filter(|(_, service)| **service != self.store && *service != "embedded")
        {
            command.push_str(&format!(" --use {role}={service}"));
        }
        if self.provision != Provision::default().name() {
            command.push_str(&format!(" --provision {}", self.provision));
        }
        if let Some(binary) = &self.etcd_binary {
            command.push_str(&format!(" --etcd-binary {}", shell_path(Path::new(binary))));
        }
        for (option, names) in [("--strategies", strategies), ("--faults", faults)] {
            if !names.is_empty() {
                command.push_str(&format!(" {option} {}", shell(&names.join(","))));
            }
        }
        for point in points.iter().filter(|point| !point.0.is_empty()) {
            command.push_str(&format!(" --at {}", shell(&point.to_string())));
        }
        command
    }

    /// The key that holds what no run has, and why; nothing if there is none. What is printed of a run, and typed, follows from these.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let known = |key: &'static str, value: &str, names: Vec<&str>| {
            let what = || format!("`{key}` is '{value}', and there are: {}", names.join(", "));
            (!names.contains(&value)).then(|| (key, what()))
        };
        let stores = || StoreKind::NAMES.iter().map(|(_, name)| *name).collect::<Vec<_>>();
        let locks = LockKind::NAMES.iter().map(|(_, name)| *name).collect();
        let ways = Provision::NAMES.iter().map(|(_, name)| *name).collect();
        let names = [("only_strategies", &self.only_strategies), ("only_faults", &self.only_faults)];
        let unnamed = || {
            let all = names.iter().flat_map(|(key, names)| names.iter().map(move |name| (*key, name)));
            let own = std::iter::once(("experiment", &self.experiment));
            all.chain(own).find_map(|(key, name)| Some((key, format!("`{key}`: {}", name_fault(name)?))))
        };
        known("store", &self.store, stores())
            .or_else(|| known("lock", &self.lock, locks))
            .or_else(|| known("provision", &self.provision, ways))
            .or_else(|| self.uses.keys().find_map(|role| known("uses", role, Role::SERVERS.map(Role::name).to_vec())))
            .or_else(|| {
                let services = || stores().into_iter().chain(["embedded", "redis", "kafka"]).collect();
                self.uses.values().find_map(|service| known("uses", service, services()))
            })
            .or_else(unnamed)
    }

    /// Whether the run was made by the source that this program is made of, as far as its revision tells.
    #[must_use]
    pub fn is_of_this_build(&self) -> bool {
        self.oncelab == env!("CARGO_PKG_VERSION") && self.git_revision == env!("ONCELAB_GIT_REVISION")
    }

    /// The service in each role, besides store and lock, that a strategy needs.
    #[must_use]
    pub fn uses_of(&self, strategy: &dyn Strategy) -> BTreeMap<String, String> {
        let needed = |role: &str| strategy.needs().iter().any(|need| need.role.name() == role);
        self.uses
            .iter()
            .filter(|(role, _)| needed(role))
            .map(|(role, service)| (role.clone(), service.clone()))
            .collect()
    }

    /// The kind of lock service that the run was made with.
    #[must_use]
    pub fn lock_kind(&self) -> LockKind {
        LockKind::from_name(&self.lock).unwrap_or_default()
    }

    /// The kind of store that the run was made on.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        StoreKind::from_name(&self.store).unwrap_or(StoreKind::Sqlite)
    }
}

/// The value of a line `name : value` in a file of the kernel's, or `unknown` where there is none.
fn field(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned());
    value.unwrap_or_else(unknown)
}

/// The time in UTC, in whole seconds: `2026-01-31T12:00:00Z`.
fn now() -> String {
    use time::format_description::well_known::Rfc3339;
    let now = time::OffsetDateTime::now_utc().replace_nanosecond(0).expect("0 is a number of nanoseconds");
    now.format(&Rfc3339).expect("a year of four digits")
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Numbers that may be beyond 2^53, as text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&number.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_is_told_once_with_its_shards() {
        let mut meta = Meta::of_this_machine();
        let own = meta.machines();
        assert_eq!(own.len(), 1);
        meta.shards = (1..=3).map(|number| ShardOrigin::of(&meta, number, 3)).collect();
        assert_eq!(meta.machines(), own, "of one machine nothing more is said");
        meta.shards[1].cpu = "another".to_owned();
        let said = meta.machines();
        assert_eq!(said[0], format!("{} (shards 1, 3)", own[0]));
        assert!(said.len() == 2 && said[1].starts_with("another, ") && said[1].ends_with("(shards 2)"), "{said:?}");
    }
}
