//! What verbs have in common.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::terms::Shard;

/// In which form a report comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Md,
    Html,
    Csv,
    Tex,
    Json,
}

/// The command line asks for something that cannot be done; the message says what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub String);

/// The folder that runs are saved in, unless `--out` names another.
pub(super) fn default_results() -> PathBuf {
    PathBuf::from("results")
}

/// What `--shard` says, if it is there.
///
/// # Errors
/// Where it is not a shard.
pub(super) fn shard(text: Option<&str>) -> Result<Option<Shard>, UsageError> {
    let read = |text: &str| text.parse().map_err(|error| UsageError(format!("--shard {error}")));
    text.map(read).transpose()
}
