//! `oncelab repeats`: what it counts, how it ends, and the table of repeaters that is made with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::backends::skipped;
use crate::common::{command, oncelab, text};
use crate::documents::read;
use crate::reports::is_valid;

const REPEATS_SCHEMA: &str = include_str!("../../schemas/repeats.schema.json");

/// A server that listens, and where.
struct Listening {
    lab: Child,
    address: String,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let mut lab = command(Path::new("."));
        let mut lab = lab.arg("repeats").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(lab.stderr.take().unwrap()).read_line(&mut told).unwrap();
        let address = told.strip_prefix("listening at http://").and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("{told}")).to_owned();
        Listening { lab, address }
    }

    /// Sends a request over a connection of its own, and reads until the connection ends.
    fn ask(&self, method: &str, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(self) -> Output {
        let id = self.lab.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.lab.wait_with_output().unwrap()
    }
}

#[test]
fn a_post_that_came_twice_is_told_and_is_exit_code_1() {
    let listening = Listening::start(&["--json"]);
    // Three requests: one POST twice, a PUT three times, another POST once.
    for (method, path, times) in [("POST", "/reply-lost/a", 2), ("PUT", "/reply-lost/a", 3), ("POST", "/503/b", 1)] {
        for _ in 0..times {
            let answer = listening.ask(method, path, "content-length: 0\r\nidempotency-key: \"k\"\r\n");
            assert_eq!(answer.is_empty(), path.starts_with("/reply-lost"), "{answer}");
        }
    }
    assert!(listening.ask("GET", "/503", "bad header\r\n").starts_with("HTTP/1.1 400"));
    let listed = listening.ask("GET", "/repeats", "");
    let listed: Value = serde_json::from_str(listed.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    is_valid(REPEATS_SCHEMA, &listed);

    let output = listening.interrupt();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    is_valid(REPEATS_SCHEMA, &document);
    assert_eq!((&document["requests"], &document["kinds"]), (&listed["requests"], &listed["kinds"]));
    let requests = document["requests"].as_array().unwrap();
    let arrivals: Vec<_> = requests.iter().map(|one| (one["method"].as_str().unwrap(), &one["arrivals"])).collect();
    assert_eq!(arrivals, [("PUT", &3.into()), ("POST", &2.into()), ("POST", &1.into())]);
    assert_eq!((&document["repeated_not_idempotent"], &document["malformed"]), (&1.into(), &1.into()));
    document["requests"][0]["arrivals"] = 0.into();
    assert!(std::panic::catch_unwind(|| is_valid(REPEATS_SCHEMA, &document)).is_err(), "the schema rejects nothing");
}

#[test]
fn what_may_be_repeated_is_exit_code_0_and_the_listing_fits_a_terminal() {
    let listening = Listening::start(&[]);
    let long = format!("/ok/{}", "x".repeat(400));
    for _ in 0..2 {
        for (method, path) in [("DELETE", "/ok/a"), ("GET", long.as_str()), ("PUT", "/500/\u{1b}[31mred")] {
            listening.ask(method, path, "content-length: 0\r\n");
        }
    }
    for n in 0..60 {
        listening.ask("POST", &format!("/ok/{n}"), "content-length: 0\r\n");
    }
    let output = listening.interrupt();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80) && !shown.contains('\u{1b}'), "{shown}");
    assert!(
        shown.contains("no request that is not idempotent came twice") && shown.contains("more: --json"),
        "{shown}"
    );
}

#[test]
fn it_ends_when_its_time_is_over() {
    let output = Listening::start(&["--for", "0.1"]).lab.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).lines().next()), (Some(0), Some("no request came")));
}

#[test]
fn more_requests_than_can_be_told_apart_are_inconclusive() {
    let listening = Listening::start(&["--json"]);
    // One connection, and as many requests at a time as its buffers take: each answer has this line.
    let mut stream = TcpStream::connect(&listening.address).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut most = 0;
    for begin in (0..10_001).step_by(73) {
        let those = begin..(begin + 73).min(10_001);
        let ask = |n| format!("POST /ok/{n} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(those.clone().map(ask).collect::<String>().as_bytes()).unwrap();
        for _ in those {
            let mut line = String::new();
            while !line.starts_with("HTTP/1.1") {
                line.clear();
                assert!(answers.read_line(&mut line).unwrap() > 0, "the connection ended");
                // The answers' own lines end without a break: the next status may stand behind one.
                line = line.split_off(line.find("HTTP/1.1").unwrap_or(0));
            }
            most += usize::from(line.contains(" 200 "));
        }
    }
    drop((stream, answers));
    let output = listening.interrupt();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), most, &document["uncounted"]), (Some(3), 10_000, &1.into()));
}

#[test]
fn bad_arguments_are_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, named) in [
        (["--for", "0"], "--for"),
        (["--for", "-1"], "--for"),
        (["--for", "inf"], "--for"),
        (["--for", "soon"], "a number of seconds"),
        (["--listen", "nowhere"], "--listen"),
        (["--listen", &taken], "name an address of this machine and a free port"),
        (["--listen", "192.0.2.1:0"], "name an address of this machine and a free port"),
    ] {
        let output = oncelab(folder.path(), &[&["repeats"][..], &arguments].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(named), "{arguments:?}: {said}");
    }
}

/// The table that the script makes of these repeaters: for each row, its texts. `None`, if one was left out.
fn table(columns: &str, names: &[&str]) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/repeaters/run");
    let mut run = Command::new("bash");
    run.args([script, "--tries", "1", "--columns", columns, "--packages"]).arg(folder.path()).arg("--out").arg(&out);
    let output = run.args(names).env("ONCELAB", env!("CARGO_BIN_EXE_oncelab")).output().unwrap();
    let said = text(&output.stderr);
    if let Some(why) = said.lines().find(|line| line.contains(": left out: ")) {
        assert!(why.contains("is not installed"), "{said}");
        skipped(why);
        return None;
    }
    assert!(output.status.success(), "{said}");
    assert!(text(&output.stdout).starts_with("| repeater | version |"), "{output:?}");
    let table: Value = serde_json::from_slice(&std::fs::read(out.join("table.json")).unwrap()).unwrap();
    let rows = table["rows"].as_array().unwrap().clone();
    assert_eq!(rows.len(), names.len());
    Some(rows)
}

#[test]
fn the_table_of_the_documents_is_what_was_measured() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/repeaters");
    let Ok(output) = Command::new("python3").args(["table.py", "measured.json"]).current_dir(folder).output() else {
        return skipped("python3 is not installed");
    };
    let made = text(&output.stdout);
    let document = read("docs/repeats.md").text;
    let rows = made.lines().filter(|line| line.starts_with("| "));
    assert!(output.status.success() && rows.clone().count() >= 30, "{output:?}");
    let missing: Vec<&str> = rows.filter(|row| !document.lines().any(|line| line == *row)).collect();
    assert!(missing.is_empty(), "docs/repeats.md lacks {missing:#?}");
    assert!(!made.contains("Left out"), "{made}");
}

#[test]
fn five_repeaters_repeat_what_the_table_of_the_documents_says() {
    let names = ["curl", "nginx", "haproxy-retry", "urllib3-debian", "node-fetch"];
    let Some(rows) = table("new,no-answer,reused,503", &names) else { return };
    let expected = [
        ["–", "–", "all×2", "–"],
        ["GPD×2", "GPD×2", "never met", "–"],
        // Over a reused connection it is twice or three times: that depends on the connections that are idle.
        ["all×4", "all×4", "", "all×4"],
        ["GPD×4", "GPD×4", "GPD×2", "–"],
        ["–", "–", "–", "–"],
    ];
    for (row, expected) in rows.iter().zip(expected) {
        for (column, expected) in ["new", "no-answer", "reused", "5xx"].into_iter().zip(expected) {
            let found = row["texts"][column].as_str().unwrap();
            assert!(expected.is_empty() || found == expected, "{} {column}: {found}, not {expected}", row["name"]);
        }
    }
    for (kind, cell) in rows[2]["cells"]["reused"].as_object().unwrap() {
        assert!(cell["most"].as_u64().is_some_and(|most| (2..=3).contains(&most)), "HAProxy, reused, {kind}: {cell}");
    }
}

#[test]
fn a_chain_of_repeaters_shows_the_product() {
    let Some(rows) = table("new", &["chain-urllib3-haproxy-retry"]) else { return };
    // urllib3 sends what is idempotent four times, and HAProxy sends each of them four times.
    assert_eq!(rows[0]["texts"]["new"], "GPD×16; POST×4");
}
