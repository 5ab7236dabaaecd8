//! `oncelab repeats`: a server that counts how often each request comes, and does to it what its path says.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::signals::{must_undo, stop_on_signals};
use super::{UsageError, output};
use crate::exit;
use crate::repeats::{Arrivals, CountedRequest, GRAMMAR, LISTING, RepeatsServer, Settings, document, kinds};
use crate::report::{Align, Table, to_text};

/// The width of the listing.
const WIDTH: usize = 80;

/// How many requests the listing has. The JSON document has all.
const MOST_ROWS: usize = 50;

/// How much of a path the listing has.
const LONGEST_PATH: usize = 44;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct Repeats {
    /// Where to listen; port 0 is a free port. Whoever reaches the port can use it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// End after this many seconds [default: when interrupted, e.g. by Ctrl-C]
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    lasts: Option<Duration>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    format!(
        "\
Point a client, a library or a proxy at the address that is told on stderr. It
speaks HTTP/1.1, and HTTP/2 with prior knowledge. A path says what happens:

{GRAMMAR}
Exit code 1: a request that is not idempotent (POST, PATCH) came twice. 3: none
did, but there were more different requests than are told apart. Else 0."
    )
}

/// Why a text is no time to listen.
#[derive(Debug, Clone, thiserror::Error)]
enum NoTime {
    #[error("not a number of seconds, e.g. 30")]
    NotANumber,
    #[error("must be above 0 and not endless")]
    OutOfRange,
}

fn seconds(text: &str) -> Result<Duration, NoTime> {
    let seconds: f64 = text.parse().map_err(|_| NoTime::NotANumber)?;
    let duration = Duration::try_from_secs_f64(seconds).ok();
    duration.filter(|duration| !duration.is_zero()).ok_or(NoTime::OutOfRange)
}

impl Repeats {
    /// Listens until its time is over, and prints what came.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let stop = stop_on_signals();
        // A signal is the usual way to end this verb: what came is printed, and says the exit code.
        must_undo(true);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (arrivals, elapsed) = runtime.block_on(async {
            let server = RepeatsServer::start(self.listen, Settings::default()).map_err(|error| {
                UsageError(format!(
                    "--listen {}: {error}; name an address of this machine and a free port",
                    self.listen
                ))
            })?;
            output::tell(&format!("listening at http://{} (counts so far: GET {LISTING})", server.address()));
            let over = async {
                match self.lasts {
                    Some(lasts) => tokio::time::sleep(lasts).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = over => {}
            }
            anyhow::Ok((server.arrivals(), server.elapsed()))
        })?;
        runtime.shutdown_background();
        output::print(&if self.json {
            serde_json::to_string_pretty(&document(&arrivals, elapsed, usize::MAX))? + "\n"
        } else {
            as_text(&arrivals)
        })?;
        Ok(ExitCode::from(code(&arrivals)))
    }
}

fn code(arrivals: &Arrivals) -> u8 {
    if arrivals.repeated_not_idempotent().next().is_some() {
        exit::BROKEN
    } else if arrivals.uncounted > 0 {
        exit::INCONCLUSIVE
    } else {
        exit::MET
    }
}

fn as_text(arrivals: &Arrivals) -> String {
    let mut out = String::new();
    let requests: Vec<&CountedRequest> = arrivals.requests().collect();
    if requests.is_empty() {
        out.push_str("no request came\n");
    } else {
        out.push_str(&to_text(&by_kind(arrivals), WIDTH));
        out.push('\n');
        out.push_str(&each(requests));
    }
    let others = [
        (arrivals.malformed, "answered 400: not HTTP"),
        (arrivals.too_large, "refused: the head or the body is too large"),
        (arrivals.too_slow, "answered 408: the body did not come to its end in time"),
        (arrivals.unfinished, "not finished: the sender left before the end"),
        (arrivals.unknown_paths, "answered 404: the path says nothing that `oncelab repeats --help` knows"),
        (arrivals.uncounted, "not counted: there were too many different requests before"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        out.push_str(&output::hanging(&format!("{count} "), what));
    }
    out.push('\n');
    let repeated = arrivals.repeated_not_idempotent().count();
    out.push_str(&output::wrap(&match repeated {
        0 => "no request that is not idempotent came twice".to_owned(),
        1 => "1 request that is not idempotent came more than once".to_owned(),
        more => format!("{more} requests that are not idempotent came more than once"),
    }));
    out.push('\n');
    out
}

fn yes(is: bool) -> Vec<String> {
    vec![if is { "yes" } else { "no" }.to_owned()]
}

fn by_kind(arrivals: &Arrivals) -> Table {
    let mut table = Table::new(&[
        ("method", Align::Left),
        ("key", Align::Left),
        ("body", Align::Left),
        ("requests", Align::Right),
        ("repeated", Align::Right),
        ("most arrivals", Align::Right),
    ]);
    for kind in kinds(arrivals) {
        let figures = [kind.requests, kind.repeated, kind.most].map(|figure| vec![figure.to_string()]);
        let mut row = vec![vec![shortened(&kind.method)], yes(kind.keyed), yes(kind.has_body)];
        row.extend(figures);
        table.push(row);
    }
    table
}

/// The requests that came most often, and how many more there are.
fn each(mut requests: Vec<&CountedRequest>) -> String {
    let mut table = Table::new(&[
        ("came", Align::Right),
        ("faults", Align::Right),
        ("method", Align::Left),
        ("key", Align::Left),
        ("body", Align::Left),
        ("path", Align::Left),
    ]);
    // The sort keeps the order of the first arrivals.
    requests.sort_by_key(|counted| std::cmp::Reverse(counted.arrivals));
    for counted in requests.iter().take(MOST_ROWS) {
        table.push(vec![
            vec![counted.arrivals.to_string()],
            vec![counted.faults.to_string()],
            vec![shortened(counted.method.as_str())],
            yes(counted.keyed),
            yes(counted.body_bytes > 0),
            vec![shortened(&counted.target)],
        ]);
    }
    let mut out = to_text(&table, WIDTH);
    if requests.len() > MOST_ROWS {
        out.push_str(&format!("… and {} more: --json lists them\n", requests.len() - MOST_ROWS));
    }
    out
}

/// A stranger's text, cut to what a listing has room for.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_PATH {
        return text.to_owned();
    }
    text.chars().take(LONGEST_PATH - 1).chain(['…']).collect()
}
