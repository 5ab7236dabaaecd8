//! The command line: one file per verb.

mod check;
mod compare;
mod completions;
mod conform;
mod evidence;
mod evidence_row;
mod explore;
mod explore_json;
mod explore_output;
mod fault;
mod hop;
mod legend;
mod lift;
mod limits;
mod list;
mod mounted;
mod output;
mod place;
mod progress;
mod repeats;
mod replay;
mod report;
mod requests;
mod run;
mod search;
mod servers;
mod signals;
mod splice;
mod stale;
mod track_record;
mod urls;
mod usage;
mod uses;
mod verbs;

use usage::{Format, UsageError, default_results};
pub use verbs::{accepts, main, main_with};
