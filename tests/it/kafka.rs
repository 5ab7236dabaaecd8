//! Kafka: what the model says, a broker does, and what cannot be used is said.

use std::process::Output;

use serde_json::Value;

use oncelab::service::provision;

use crate::backends::{block_on, containers, on_kafka, or_skip};
use crate::common::{oncelab, text};

const PRODUCERS: [&str; 2] = ["kafka-at-least-once", "kafka-idempotent"];

const CONSUMERS: [&str; 8] = [
    "kafka-offset-before-effect",
    "kafka-offset-after-effect",
    "kafka-group",
    "kafka-inbox",
    "kafka-transactions-outside",
    "kafka-transactions-outside-v1",
    "kafka-transactions-v1",
    "kafka-transactions",
];

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// Schedules of these strategies on this Kafka, one of a class.
fn conform(strategies: &[&str], options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["conform", "--json"], strategies, options].concat());
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    for row in document["strategies"].as_array().unwrap() {
        assert_eq!(row["divergences"], 0, "{row}");
        assert!(row["replayed"].as_u64().unwrap() >= 25, "{row}");
    }
}

/// What breaks what, a hundred times.
fn breaks(options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let replayed = |strategy: &str, schedule: &str, lanes: &str| -> Vec<String> {
        let arguments = ["replay", strategy, schedule, "--lanes", lanes, "--times", "100", "--json"];
        let document = json(&oncelab(folder.path(), &[&arguments[..], options].concat()));
        assert_eq!((&document["times"], &document["divergences"]), (&100.into(), &0.into()), "{document}");
        document["violations"].as_object().unwrap().iter().map(|(kind, count)| format!("{kind} {count}")).collect()
    };
    for (strategy, schedule, lanes, shows) in [
        ("kafka-at-least-once", "a? a", "1", "duplicate 100"),
        ("kafka-at-least-once", "a~ a a+", "1", "duplicate 100"),
        ("kafka-at-least-once", "a b", "2", "duplicate 100"),
        // Another delivery is another session: after two losses, or at once.
        ("kafka-idempotent", "a a? a? a a", "1", "duplicate 100"),
        ("kafka-idempotent", "a a b b", "2", "duplicate 100"),
        // A crash between the effect and the offset.
        ("kafka-offset-after-effect", "a a ax a a", "1", "duplicate 100"),
        ("kafka-offset-before-effect", "a a ax a", "1", "lost 100"),
        ("kafka-transactions-outside", "a a a ax a a a", "1", "duplicate 100"),
        ("kafka-transactions-outside-v1", "a a a ax a a a", "1", "duplicate 100"),
        // The session of a member runs out: another one joins. The commit of the first is refused, its effect is not.
        ("kafka-group", "a a a* b b", "2", "overlap 100"),
        ("kafka-group", "a a a a a* a a a a", "1", "duplicate 100"),
        // A late record lands in the next transaction of the session.
        ("kafka-transactions-v1", "a a a a~ a a a+ a a a a", "1", "duplicate 100"),
        // A late EndTxn(abort) aborts the next transaction of the session, in which the offset is not yet.
        ("kafka-transactions-v1", "a a a a a a! a~ a a a a+ a a a", "1", "lost 100"),
    ] {
        assert_eq!(replayed(strategy, schedule, lanes), [shows], "{strategy} {schedule}");
    }
    for (strategy, schedule, lanes) in [
        // Losses within a session: the broker drops the copy, also one that comes before what it is a copy of.
        ("kafka-idempotent", "a a? a", "1"),
        ("kafka-idempotent", "a a~ a a+", "1"),
        ("kafka-idempotent", "a a~ a+ a", "1"),
        ("kafka-inbox", "a a a a a ax a a a a", "1"),
        // Another member waits until the first one has left, or until the session of one that is gone has run out.
        ("kafka-group", "a a a a a a b b b", "2"),
        ("kafka-group", "a a? a a a a a a b b b b", "2"),
        // The late record and the late EndTxn under the second protocol: they are refused.
        ("kafka-transactions", "a a a~ a a+ a a a", "1"),
        ("kafka-transactions", "a a a a! a~ a a a+ a a", "1"),
        // A reply to EndTxn that is lost, and one that says that all is done.
        ("kafka-transactions", "a a a a a? a", "1"),
        // Another consumer takes over, and whoever had the partition is fenced.
        ("kafka-transactions", "a a a b b b b b b a", "2"),
    ] {
        assert!(replayed(strategy, schedule, lanes).is_empty(), "{strategy} {schedule}");
    }
}

#[test]
fn kafka_does_what_the_model_says() {
    on_kafka(|url| async move {
        let used = format!("broker=kafka@{url}");
        conform(&PRODUCERS, &["--use", &used]);
        conform(&CONSUMERS, &["--use", &used, "--sample", "60"]);
        breaks(&["--use", &used]);
        under_load(&["--use", &used]);
        refuses_a_wrong_password(&url);
    });
}

#[test]
fn kafka_in_a_container_does_what_the_model_says() {
    block_on(async {
        if let Some(started) = or_skip(provision::kafka(&containers()).await) {
            let used = format!("broker=kafka@{}", started.urls().remove(0));
            conform(&[&PRODUCERS[..], &CONSUMERS[7..]].concat(), &["--use", &used, "--sample", "40"]);
        }
    });
}

/// Messages are lost on both legs.
const LOSSY: &str = r#"
name = "lossy-broker"
question = "What does a producer's number buy?"
strategies = ["kafka-at-least-once", "kafka-idempotent"]
load = { requests = 1000, warmup = 0, clients = 16, handlers = 8, accounts = 64, timeout_ms = 400, attempts = 20 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "broker"
broker = { request_lost = 0.03, reply_lost = 0.03, late_landing = 0.03 }

[[faults]]
name = "client"
client = { reply_lost = 0.05, duplicated = 0.05 }
"#;

/// A producer's numbers drop the copies on the way to the broker, and not those of requests that clients send again.
fn under_load(options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lossy.toml"), LOSSY).unwrap();
    let summary = json(&oncelab(folder.path(), &[&["run", "lossy.toml", "--seed", "7", "--json"], options].concat()));
    let duplicates = |strategy: &str, level: &str| {
        let cells = summary["cells"].as_array().unwrap();
        let cell = cells.iter().find(|cell| cell["strategy"] == strategy && cell["faults"] == level).unwrap();
        assert!(cell["effects"].as_u64().unwrap() >= 1000, "{cell}");
        cell["violations"].get("duplicate").map_or(0, |count| count.as_u64().unwrap())
    };
    assert!(duplicates("kafka-at-least-once", "client") > 20, "{summary}");
    assert!(duplicates("kafka-idempotent", "client") > 20, "{summary}");
    let (plain, numbered) = (duplicates("kafka-at-least-once", "broker"), duplicates("kafka-idempotent", "broker"));
    assert!(plain > 20 && numbered < plain / 2, "{plain} and {numbered}: {summary}");
    let checked = oncelab(folder.path(), &["check", summary["dir"].as_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

fn refused(strategy: &str, options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["replay", strategy, "a"], options].concat());
    let said = text(&output.stderr);
    assert!(!output.status.success() && !said.contains("hunter2"), "{said}");
    said
}

fn refuses_a_wrong_password(url: &str) {
    let at = url.rsplit_once('@').unwrap().1;
    for wrong in [format!("kafka://oncelab:hunter2@{at}"), format!("kafka://{at}")] {
        let said = refused(PRODUCERS[0], &["--use", &format!("broker=kafka@{wrong}")]);
        assert!(said.contains("kafka://user:password@host:9092"), "{said}");
    }
}

#[test]
fn a_kafka_that_cannot_be_used_is_an_error_with_a_remedy_and_without_its_password() {
    for strategy in PRODUCERS {
        assert!(refused(strategy, &[]).contains("add --use broker=kafka"), "{strategy}");
    }
    let said = |used: &str| refused(PRODUCERS[0], &["--use", used]);
    assert!(said("broker=kafak").contains("did you mean 'kafka'"));
    assert!(said("broker=kafka@http://me:hunter2@h").contains("write kafka://user:password@host:9092"));
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let gone = said(&format!("broker=kafka@kafka://me:hunter2@127.0.0.1:{port}"));
    assert!(gone.contains("check that a Kafka runs there"), "{gone}");
    let nowhere =
        refused(PRODUCERS[0], &["--use", "broker=kafka", "--provision", "process", "--kafka-home", "/nowhere"]);
    assert!(nowhere.contains("images/kafka FOLDER") && nowhere.contains("--kafka-home"), "{nowhere}");
}

#[test]
fn a_run_without_a_kafka_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lossy.toml"), LOSSY).unwrap();
    let said = text(&oncelab(folder.path(), &["run", "lossy.toml"]).stderr);
    assert!(said.contains("no strategy is left to run") && said.contains("add --use broker=kafka"), "{said}");
}
