//! A trial's history on disk: JSON lines, compressed. First a header, then the requests, what was done to
//! backends, the events in the order of time, how each request ended, the ledger, what the store used, and a last line with the
//! counts, so that a truncated file is seen to be one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bounded::{Bounded, decompressed};
use super::event_line::EventLine;
use super::files::{FileError, write_atomically};
use super::history_ends::{DoneLine, SINCE, UsageLine};
use super::history_lines::{BalanceLine, EntryLine, RequestLine};
use super::is_known;
use crate::check::Evidence;
use crate::experiment::Point;
use crate::history::Event;
use crate::load::Finished;
use crate::service::Usage;
use crate::terms::{Balances, ByRole, Disturbed, Entry, Request, Retries, Role, Shape};

/// How hard to compress: 3 is zstd's own default, and faster than the trial that it follows.
const COMPRESSION: i32 = 3;

/// No trial is longer, in nanoseconds: some 104 days.
const LONGEST_NS: u64 = 1 << 53;

/// The most bytes of a line: one with an operation has its SQL, and no more.
const LONGEST_LINE: u64 = 1 << 20;

/// The SHA-256 of a history's lines, in hexadecimal: what shows that a single letter was changed.
pub type Digest = String;

/// What a history is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub schema: u32,
    pub trial: String,
    pub strategy: String,
    pub faults: String,
    /// The point of the experiment's sweep; empty without one.
    #[serde(default)]
    pub point: Point,
    pub store: String,
    pub lock: Option<String>,
    /// The service in each role besides these two.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uses: BTreeMap<String, String>,
    pub seed: u64,
    pub requests: u32,
    /// How long a lease lived, in microseconds of the wall clock.
    pub lease_us: u64,
}

/// What a history holds besides its header.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    pub requests: &'a [Request],
    pub disturbed: &'a [Disturbed],
    pub events: &'a [Event],
    pub finished: &'a [Finished],
    pub ledger: &'a [Entry],
    pub balances: &'a ByRole<Balances>,
    pub usage: Usage,
}

/// A trial as it was saved.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedTrial {
    pub header: Header,
    pub requests: Vec<Request>,
    pub disturbed: Vec<Disturbed>,
    pub events: Vec<Event>,
    /// How requests ended for their clients; none in an older history, which does not say.
    pub finished: Option<Vec<Finished>>,
    /// In the order of roles.
    pub ledger: Vec<Entry>,
    /// The balance of each account of each store in the end; none in a history that was saved before they were recorded.
    pub balances: Option<ByRole<Balances>>,
    /// What the store said of its work; none in an older history, which does not say.
    pub usage: Option<Usage>,
    /// Of the lines as they were read.
    pub digest: Digest,
}

impl SavedTrial {
    fn counts(&self) -> Counts {
        let none = ByRole::default();
        let recorded = Recorded {
            requests: &self.requests,
            disturbed: &self.disturbed,
            events: &self.events,
            finished: self.finished.as_deref().unwrap_or_default(),
            ledger: &self.ledger,
            balances: self.balances.as_ref().unwrap_or(&none),
            usage: self.usage.unwrap_or_default(),
        };
        Counts::of(&recorded, self.balances.as_ref())
    }

    /// What the trial leaves to be judged, by what clients of its strategy do without an answer, by the shape of its effects, and by
    /// the roles of the stores that keep them.
    #[must_use]
    pub fn evidence<'a>(&'a self, retries: Retries, shape: Shape, effects: &'a [Role]) -> Evidence<'a> {
        Evidence {
            requests: &self.requests,
            events: &self.events,
            ledger: &self.ledger,
            balances: self.balances.as_ref(),
            effects,
            disturbed: &self.disturbed,
            retries,
            shape,
            lease: Duration::from_micros(self.header.lease_us),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: Counts,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Counts {
    #[serde(default, skip_serializing_if = "is_zero")]
    disturbed: u64,
    events: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    done: u64,
    entries: u64,
    /// None in a history that was saved before balances were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    balances: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    fn of(trial: &Recorded<'_>, balances: Option<&ByRole<Balances>>) -> Self {
        let count = |length: usize| length as u64;
        Counts {
            disturbed: count(trial.disturbed.len()),
            events: count(trial.events.len()),
            done: count(trial.finished.len()),
            entries: count(trial.ledger.len()),
            balances: balances.map(|balances| balances.0.iter().map(|of_store| count(of_store.len())).sum()),
        }
    }
}

/// Writes a history, and gives the digest of its lines.
///
/// # Errors
/// [`FileError`] if the file cannot be written; then there is none.
pub fn write_history(path: &Path, header: &Header, recorded: Recorded<'_>) -> Result<Digest, FileError> {
    let Recorded { requests, disturbed, events, finished, ledger, balances, usage } = recorded;
    let mut digest = String::new();
    write_atomically(path, |file| {
        let compressed = zstd::Encoder::new(file, COMPRESSION)?;
        let mut lines = Lines { to: std::io::BufWriter::with_capacity(1 << 16, compressed), hash: Sha256::new() };
        lines.write(header)?;
        for request in requests {
            lines.write(&RequestLine::from(request))?;
        }
        for disturbed in disturbed {
            lines.write(disturbed)?;
        }
        for event in events {
            lines.write(&EventLine::from(event))?;
        }
        for end in finished {
            lines.write(&DoneLine::from(end))?;
        }
        for entry in ledger {
            lines.write(&EntryLine::from(entry))?;
        }
        for (role, of_store) in balances.iter() {
            for balance in of_store {
                lines.write(&BalanceLine::new(role, *balance))?;
            }
        }
        lines.write(&UsageLine::from(usage))?;
        lines.write(&EndLine { end: Counts::of(&recorded, Some(balances)) })?;
        digest = hex(&lines.hash.finalize());
        lines.to.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
        Ok(())
    })?;
    Ok(digest)
}

/// Writes JSON lines, and hashes what it writes.
struct Lines<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.to.write_all(&text)
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> Digest {
    hex(&Sha256::digest(bytes))
}

/// The digest of a history's lines, without reading them.
///
/// # Errors
/// [`FileError`] if the file cannot be read or decompressed.
pub(super) fn digest_of(path: &Path) -> Result<Digest, FileError> {
    let mut lines = decompressed(path)?;
    let (mut hash, mut part, mut read) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        match lines.read(&mut part) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(length) => {
                read += part[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
                hash.update(&part[..length]);
            }
            Err(error) => return Err(trouble(path, read, &lines, error)),
        }
    }
}

/// What an error while reading a history means.
fn trouble(path: &Path, lines: u64, from: &Bounded, error: std::io::Error) -> FileError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => FileError::Truncated { path: path.to_owned(), lines },
        std::io::ErrorKind::FileTooLarge => FileError::TooLarge { path: path.to_owned(), what: from.excess() },
        _ => FileError::unreadable(path, error),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a history back.
///
/// # Errors
/// [`FileError`], naming the file and the line, if it cannot be read, is truncated, or holds what no history holds.
pub fn read_history(path: &Path) -> Result<SavedTrial, FileError> {
    Reader { path, lines: BufReader::new(decompressed(path)?), number: 0, hash: Sha256::new() }.read()
}

struct Reader<'p> {
    path: &'p Path,
    lines: BufReader<Bounded>,
    number: u64,
    hash: Sha256,
}

impl Reader<'_> {
    fn read(mut self) -> Result<SavedTrial, FileError> {
        let mut line = Vec::new();
        self.next(&mut line)?;
        let header: Header = self.parse(&line)?;
        if !is_known(header.schema) {
            return Err(FileError::Schema { path: self.path.to_owned(), found: header.schema });
        }
        let mut trial = SavedTrial {
            finished: (header.schema >= SINCE).then(Vec::new),
            header,
            requests: vec![],
            disturbed: vec![],
            events: vec![],
            ledger: vec![],
            balances: None,
            usage: None,
            digest: String::new(),
        };
        loop {
            self.next(&mut line)?;
            // The first key tells what kind of line it is.
            match line.get(..4) {
                Some(b"{\"re") => {
                    let request: RequestLine = self.parse(&line)?;
                    let expected = trial.requests.len();
                    if request.request as usize != expected {
                        return Err(self.wrong(format!("request {} stands where {expected} should", request.request)));
                    }
                    trial.requests.push(request.into());
                }
                Some(b"{\"di") => {
                    let disturbed: Disturbed = self.parse(&line)?;
                    self.in_time(disturbed.until_ns.max(disturbed.from_ns))?;
                    trial.disturbed.push(disturbed);
                }
                Some(b"{\"t\"") => {
                    let event: EventLine = self.parse(&line)?;
                    self.in_time(event.t)?;
                    let request = self.request(&trial.requests, event.m)?;
                    let event = event
                        .event(&request)
                        .ok_or_else(|| self.wrong("not an event as the lab writes it".to_owned()))?;
                    trial.events.push(event);
                }
                Some(b"{\"do") => {
                    let done: DoneLine = self.parse(&line)?;
                    self.request(&trial.requests, done.done)?;
                    self.in_time(done.to)?;
                    let end = done.finished().ok_or_else(|| self.wrong("it ends before it starts".to_owned()))?;
                    let older = || self.wrong("the schema of the header has no such line".to_owned());
                    trial.finished.as_mut().ok_or_else(older)?.push(end);
                }
                Some(b"{\"us") => trial.usage = Some(self.parse::<UsageLine>(&line)?.into()),
                Some(b"{\"en") if line.starts_with(b"{\"entry") => {
                    // Its message may be one that no client sent: a strategy wrote it, and that is a finding.
                    let entry: EntryLine = self.parse(&line)?;
                    let entry =
                        entry.entry().ok_or_else(|| self.wrong("not an entry as the lab writes it".to_owned()))?;
                    trial.ledger.push(entry);
                }
                Some(b"{\"ba") => {
                    let (role, balance) = self
                        .parse::<BalanceLine>(&line)?
                        .balance()
                        .ok_or_else(|| self.wrong("not a balance as the lab writes it".to_owned()))?;
                    trial.balances.get_or_insert_default()[role].push(balance);
                }
                _ => {
                    let EndLine { end } = self.parse(&line)?;
                    if end.balances == Some(0) {
                        trial.balances.get_or_insert_default();
                    }
                    let found = trial.counts();
                    if end != found || trial.requests.len() != trial.header.requests as usize {
                        return Err(self.wrong("the counts at the end are not those of the lines before".to_owned()));
                    }
                    // A file is input: its lines may stand in any order.
                    trial.ledger.sort_by_key(|entry| entry.role);
                    trial.digest = hex(&self.hash.finalize());
                    return Ok(trial);
                }
            }
        }
    }

    fn next(&mut self, line: &mut Vec<u8>) -> Result<(), FileError> {
        line.clear();
        let mut bounded = (&mut self.lines).take(LONGEST_LINE);
        if let Err(error) = bounded.read_until(b'\n', line) {
            return Err(trouble(self.path, self.number, self.lines.get_ref(), error));
        }
        if line.last() != Some(&b'\n') {
            if line.len() as u64 == LONGEST_LINE {
                let what = format!("line {} has more than {} KiB", self.number + 1, LONGEST_LINE >> 10);
                return Err(FileError::TooLarge { path: self.path.to_owned(), what });
            }
            return Err(FileError::Truncated { path: self.path.to_owned(), lines: self.number });
        }
        self.number += 1;
        self.hash.update(&*line);
        Ok(())
    }

    fn parse<'l, T: Deserialize<'l>>(&self, line: &'l [u8]) -> Result<T, FileError> {
        serde_json::from_slice(line).map_err(|error| self.wrong(error.to_string()))
    }

    fn request(&self, requests: &[Request], message: u32) -> Result<Request, FileError> {
        let found = requests.get(message as usize).copied();
        found.ok_or_else(|| self.wrong(format!("there is no request {message}")))
    }

    fn in_time(&self, ns: u64) -> Result<(), FileError> {
        if ns <= LONGEST_NS { Ok(()) } else { Err(self.wrong(format!("{ns} ns is longer than any trial"))) }
    }

    fn wrong(&self, what: String) -> FileError {
        FileError::Wrong { path: self.path.to_owned(), line: self.number, what }
    }
}
