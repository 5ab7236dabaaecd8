//! One binary for all integration tests: linked once, and a failure is found by its module.

#![allow(clippy::unwrap_used, reason = "a test that fails in an `unwrap` fails where it should")]
#![allow(clippy::cast_precision_loss, reason = "small counts and times")]

mod actors;
mod any_number;
mod audit;
mod backends;
mod bad_input;
mod batches;
mod common;
mod determinism;
mod disturbances;
mod documents;
mod effects_in_etcd;
mod elsewhere;
mod etcd_binary;
mod evidence;
mod exit_codes;
mod experiments;
mod explore;
mod fuzz;
mod hop;
mod hop_load;
mod hostile_files;
mod interrupted;
mod kafka;
mod layers;
mod leases;
mod liars;
mod lift;
mod lock_server;
mod mariadb;
mod no_end;
mod one_writer;
mod open_loop;
mod other_body;
mod outbox;
mod own_strategy;
mod peer;
mod readme;
mod redis;
mod repeats;
mod replay;
mod reports;
mod residents;
mod resume;
mod saved_runs;
mod scenarios;
mod sentences;
mod servers;
mod strangers;
mod supply;
mod twins;
mod two_stores;
mod windows;
mod wire;
