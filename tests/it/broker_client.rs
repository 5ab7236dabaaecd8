//! `backend.broker_client`: librdkafka as the client under load, where it is built in, and what is said where it is not or cannot be used.

use crate::common::{oncelab, text};

/// A sweep over the clients, with faults on the wire.
const CLIENTS: &str = r#"
name = "clients"
question = "What does a client do that sends again by itself?"
strategies = ["kafka-at-least-once", "kafka-idempotent"]
load = { requests = 1000, warmup = 0, clients = 16, handlers = 8, accounts = 64, timeout_ms = 12000, attempts = 20 }
backend = { durable = false, restart_ms = 5, loss_noticed_ms = 2 }
sweep = [{ name = "client", keys = ["backend.broker_client"], values = ["bare", "rdkafka"] }]

[[faults]]
name = "none"

[[faults]]
name = "lossy"
where = "wire"
broker = { reply_lost = 0.02 }

[expect.lossy]
kafka-idempotent = "any"
"#;

/// What a command says that is refused, in one line, before anything is started.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("clients.toml"), CLIENTS).unwrap();
    let output = oncelab(folder.path(), arguments);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.trim_end().lines().count()), (Some(2), 1), "{said}");
    said
}

#[test]
fn rdkafka_is_a_client_of_runs_and_no_service() {
    for command in ["replay", "conform", "run"] {
        let schedule: &[&str] = if command == "replay" { &["a"] } else { &[] };
        let strategy = if command == "run" { "brokers" } else { "kafka-idempotent" };
        let said = refused(&[&[command, strategy], schedule, &["--use", "broker=rdkafka"]].concat());
        assert!(said.contains("--use broker=kafka") && said.contains("--set backend.broker_client=rdkafka"), "{said}");
    }
    let said = refused(&["run", "brokers", "--use", "broker=kafka", "--set", "backend.broker_client=librdkafka"]);
    assert!(said.contains("bare") && said.contains("rdkafka"), "{said}");
}

#[cfg(not(feature = "rdkafka"))]
#[test]
fn without_the_feature_a_run_says_how_to_build_it() {
    eprintln!("SKIPPED: what librdkafka does, since this build is without it: cargo test --features rdkafka");
    for arguments in [
        ["run", "clients.toml", "--use", "broker=kafka"].as_slice(),
        &["run", "brokers", "--use", "broker=kafka", "--set", "backend.broker_client=rdkafka"],
    ] {
        let said = refused(arguments);
        assert!(said.contains("--features rdkafka") && said.contains("--at client=bare"), "{said}");
    }
}

#[cfg(feature = "rdkafka")]
mod with_librdkafka {
    use oncelab::service::provision;
    use serde_json::Value;

    use super::{CLIENTS, refused};
    use crate::backends::{block_on, containers, on_kafka, or_skip};
    use crate::common::{oncelab, text};

    #[test]
    fn requests_that_are_duplicated_on_the_way_are_refused() {
        let said =
            refused(&["run", "clients.toml", "--use", "broker=kafka", "--set", "faults.lossy.broker.duplicated=0.1"]);
        assert!(said.contains("--set faults.lossy.broker.duplicated=0"), "{said}");
        assert!(said.contains("backend.broker_client=bare"), "{said}");
    }

    /// What a command prints as JSON, and how it ended.
    fn json(folder: &std::path::Path, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = oncelab(folder, arguments);
        let document = serde_json::from_slice(&output.stdout);
        (document.unwrap_or_else(|_| panic!("{}", text(&output.stderr))), output.status.code())
    }

    /// A row of a run.
    fn cell<'s>(summary: &'s Value, strategy: &str, level: &str, client: &str) -> &'s Value {
        let is_it = |cell: &&Value| {
            cell["strategy"] == strategy && cell["faults"] == level && cell["point"].to_string().contains(client)
        };
        let cells = summary["cells"].as_array().unwrap();
        cells.iter().find(is_it).unwrap_or_else(|| panic!("{strategy} {level} {client}: {summary}"))
    }

    fn duplicates(cell: &Value) -> u64 {
        cell["violations"].get("duplicate").map_or(0, |count| count.as_u64().unwrap())
    }

    #[test]
    fn librdkafka_sends_again_what_nobody_answers_and_numbers_drop_the_copy() {
        on_kafka(|url| async move {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("clients.toml"), CLIENTS).unwrap();
            let used = format!("broker=kafka@{url}");
            let run = ["run", "clients.toml", "--seed", "7", "--json", "--store", "postgres", "--use", &used];
            let (summary, code) = json(folder.path(), &run);
            assert_eq!(code, Some(0), "{summary}");
            let dir = summary["dir"].as_str().unwrap();
            let meta = std::fs::read_to_string(folder.path().join(dir).join("meta.json")).unwrap();
            assert!(meta.contains("\"broker_client\": \"rdkafka (librdkafka 2."), "{meta}");
            for strategy in ["kafka-at-least-once", "kafka-idempotent"] {
                assert_eq!(duplicates(cell(&summary, strategy, "none", "rdkafka")), 0, "{summary}");
            }
            // In a thousand requests some 20 replies are lost: none of them, with a chance of one in 10^8.
            let plain = cell(&summary, "kafka-at-least-once", "lossy", "rdkafka");
            let numbered = cell(&summary, "kafka-idempotent", "lossy", "rdkafka");
            for row in [plain, numbered] {
                assert!(row["fired"]["reply_lost"].as_u64().unwrap() > 0, "{row}");
            }
            assert!(duplicates(plain) > 0 && duplicates(numbered) < duplicates(plain), "{plain} {numbered}");

            let lifted = oncelab(folder.path(), &["lift", dir, "--store", "sqlite"]);
            let said = text(&lifted.stderr);
            assert!(lifted.status.code() == Some(2) && said.contains("backend.broker_client=bare"), "{said}");
            fails_alone(folder.path(), &used);
        });
    }

    /// A strategy that asks for more than a producer fails with the reason, and the others go on.
    fn fails_alone(folder: &std::path::Path, used: &str) {
        let strategies = "--strategies=kafka-offset-before-effect,kafka-idempotent";
        let settings = ["--set", "backend.broker_client=rdkafka", "--set", "load.requests=200", "--set", "repeats=1"];
        // A new client has its id after half a second, and nobody is to send a request again meanwhile.
        let settings = [&settings[..], &["--set", "load.timeout_ms=12000"]].concat();
        let run =
            [&["run", "brokers", strategies, "--faults", "none", "--json", "--use", used], &settings[..]].concat();
        let (summary, code) = json(folder, &run);
        assert_eq!(code, Some(4), "{summary}");
        let (said, cells) = (summary["failed"].to_string(), summary["cells"].as_array().unwrap());
        assert!(said.contains("kafka-offset-before-effect") && said.contains("fetch-offset"), "{summary}");
        assert!(cells.iter().any(|cell| cell["strategy"] == "kafka-idempotent" && cell["effects"] == 200), "{summary}");
    }

    /// A broker in a container says that it is elsewhere.
    #[test]
    fn librdkafka_reaches_a_broker_that_is_not_where_it_says() {
        block_on(async {
            let Some(started) = or_skip(provision::kafka(&containers()).await) else { return };
            let used = format!("broker=kafka@{}", started.urls().remove(0));
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("clients.toml"), CLIENTS).unwrap();
            let run = ["run", "clients.toml", "--faults", "none", "--at", "client=rdkafka", "--json", "--use", &used];
            let (summary, code) = json(folder.path(), &run);
            assert_eq!(code, Some(0), "{summary}");
            for cell in summary["cells"].as_array().unwrap() {
                assert!(cell["effects"].as_u64().unwrap() >= 1000, "{cell}");
            }
        });
    }
}
