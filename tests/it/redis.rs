//! Redis: what the model says, the embedded server and the real one do, and what cannot be used is said.

use std::process::{Command, Output};

use oncelab::service::provision;
use serde_json::Value;

use crate::backends::{block_on, containers, on_postgres, on_redis, or_skip};
use crate::common::{oncelab, text};

const ALL: [&str; 11] = [
    "redis-lock",
    "redis-lock-no-compare",
    "redis-lock-two-step-release",
    "redis-fenced",
    "redis-fenced-two-step",
    "redis-window",
    "redis-claim",
    "redis-mark",
    "redis-script",
    "redlock",
    "redlock-fast-clock",
];

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// Schedules of each strategy, one of a class, on this Redis.
fn conform(options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &[&["conform", "--json", "--sample", "120"], &ALL[..], options].concat());
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    for row in document["strategies"].as_array().unwrap() {
        assert_eq!(row["divergences"], 0, "{row}");
        assert!(row["replayed"].as_u64().unwrap() >= 30, "{row}");
    }
}

/// What breaks what, a hundred times.
fn breaks(options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (strategy, schedule, lanes, violation) in [
        // A release without a comparison lands late, and deletes the next holder's key.
        ("redis-lock-no-compare", "a a* a a~ b a+ c", "3", "overlap"),
        // The key runs out between the comparison and the deletion.
        ("redis-lock-two-step-release", "a a a a* b a c", "3", "overlap"),
        // A pause beyond the time to live.
        ("redis-lock", "a a* b", "2", "overlap"),
        // The same, at every master.
        ("redlock", "a a a* b b", "2", "overlap"),
        ("redis-window", "a ax a", "1", "lost"),
        ("redis-claim", "a a? a a", "1", "duplicate"),
        ("redis-mark", "a a a! a a a", "1", "duplicate"),
        ("redis-script", "a b* b", "2", "duplicate"),
    ] {
        let arguments = ["replay", strategy, schedule, "--lanes", lanes, "--times", "100", "--json"];
        let document = json(&oncelab(folder.path(), &[&arguments[..], options].concat()));
        assert_eq!((&document["reproduced"], &document["divergences"]), (&100.into(), &0.into()), "{document}");
        assert_eq!(document["violations"][violation], 100, "{document}");
    }
    // A master comes back without its keys, or they run out early, and another finds a majority; not so if all had said yes.
    let forgetful = ["--lanes", "2", "--retries", "0", "--reaper", "--json"];
    let each =
        ["redlock", "redlock-fast-clock"].map(|name| [(name, "a a a! c b b b", 100), (name, "a a a c b b b", 0)]);
    for (strategy, schedule, lanes_inside) in each.concat() {
        let arguments = [&["replay", strategy, schedule, "--times", "100"], &forgetful[..], options].concat();
        let document = json(&oncelab(folder.path(), &arguments));
        assert_eq!(document["divergences"], 0, "{document}");
        assert_eq!(document["violations"]["overlap"].as_u64().unwrap_or(0), lanes_inside, "{document}");
    }
    // A number that is drawn after the lock is the zombie's; not so in one script.
    for (strategy, schedule, twice) in
        [("redis-fenced-two-step", "a a* b b b a a", 100), ("redis-fenced", "a a* b b a", 0)]
    {
        let arguments = [&["replay", strategy, schedule, "--retries", "0", "--times", "100", "--json"][..], options];
        let document = json(&oncelab(folder.path(), &arguments.concat()));
        assert_eq!(document["divergences"], 0, "{document}");
        assert_eq!(document["violations"]["duplicate"].as_u64().unwrap_or(0), twice, "{document}");
    }
    // The same late release with a comparison does nothing.
    let late = ["replay", "redis-lock", "a a* a a~ b a+ c", "--lanes", "3", "--times", "20", "--json"];
    let document = json(&oncelab(folder.path(), &[&late[..], options].concat()));
    assert_eq!((&document["divergences"], document["violations"].get("overlap")), (&0.into(), None), "{document}");
}

#[test]
fn the_embedded_server_does_what_the_model_says() {
    conform(&[]);
    breaks(&[]);
}

#[test]
fn redis_does_what_the_model_says() {
    on_redis(|url| async move {
        let used = format!("cache=redis@{url}");
        conform(&["--use", &used]);
        breaks(&["--use", &used]);
    });
}

/// A master and its replica, which may be promoted.
fn fails_over(options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let forgetful = ["--lanes", "2", "--retries", "0", "--reaper", "--json"];
    for (strategy, schedule, lanes_inside) in [
        ("redis-lock-replica", "c a c b", 20),
        ("redis-lock-replica", "a c c b", 0),
        ("redis-lock-wait", "c a a c b b", 0),
        ("redis-lock-wait", "a a c c b", 0),
        // What is late reaches the new master.
        ("redis-lock-replica", "c a~ c b a+", 0),
    ] {
        let arguments = [&["replay", strategy, schedule, "--times", "20"], &forgetful[..], options].concat();
        let document = json(&oncelab(folder.path(), &arguments));
        assert_eq!(document["divergences"], 0, "{document}");
        assert_eq!(document["violations"]["overlap"].as_u64().unwrap_or(0), lanes_inside, "{document}");
    }
    let few = ["conform", "redis-lock-replica", "redis-lock-wait", "--sample", "60"];
    let document = json(&oncelab(folder.path(), &[&few[..], &forgetful, options].concat()));
    for row in document["strategies"].as_array().unwrap() {
        assert_eq!((&row["divergences"], &row["replayed"]), (&0.into(), &60.into()), "{row}");
    }
}

#[test]
fn a_replica_is_promoted_with_what_had_reached_it() {
    fails_over(&[]);
    on_redis(|_| async {
        fails_over(&["--use", "cache=redis", "--provision", "process"]);
    });
}

#[test]
fn redis_in_a_container_does_what_the_model_says_and_keeps_its_password() {
    let is_there = block_on(async {
        // A container is dropped on the runtime that it was started on.
        let Some(started) = or_skip(provision::redis(&containers(), 1).await) else { return false };
        let url = started.urls().remove(0);
        let password = url.split([':', '@']).nth(2).unwrap();
        assert!(password.len() >= 32, "{url}");
        // Its arguments and its environment are to be seen by whoever may list containers.
        let all = Command::new("docker").args(["ps", "--quiet"]).output().unwrap();
        let ids = text(&all.stdout);
        let seen = Command::new("docker").arg("inspect").args(ids.split_whitespace()).output().unwrap();
        let seen = text(&seen.stdout);
        assert!(seen.contains("redis.conf") && !seen.contains(password));
        true
    });
    if !is_there {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = ["--use", "cache=redis", "--provision", "container"];
    let conformed = ["conform", "redis-lock", "redis-script", "--json", "--sample", "30"];
    let output = oncelab(folder.path(), &[&conformed[..], &here].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(json(&output)["strategies"].as_array().unwrap().iter().all(|row| row["replayed"] == 30));
    // A replica reaches its master in another container.
    let replicated = ["conform", "redis-lock-replica", "--reaper", "--json", "--sample", "10"];
    let output = oncelab(folder.path(), &[&replicated[..], &here].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    // The remedy names a flag that there is.
    let embedded = ["--use", "cache=redis", "--provision", "embedded"];
    let refused = oncelab(folder.path(), &[&["replay", "redis-lock", "a"][..], &embedded].concat());
    assert!(text(&refused.stderr).contains("use --use cache=embedded"), "{}", text(&refused.stderr));
}

/// Everything that can happen on the way to Redis, while keys live longer than clients try.
const LOSSY: &str = r#"
name = "lossy-cache"
question = "What does Redis bear?"
strategies = ["redis-script", "redis-window"]
load = { requests = 1000, warmup = 0, clients = 32, handlers = 16, accounts = 64, timeout_ms = 100, attempts = 20 }
backend = { durable = false, lease_ttl_s = 60, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "lossy"
cache = { request_lost = 0.03, reply_lost = 0.03, late_landing = 0.03, duplicated = 0.03 }
handler = { crash = 0.03 }
"#;

fn runs(options: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lossy.toml"), LOSSY).unwrap();
    let summary = json(&oncelab(folder.path(), &[&["run", "lossy.toml", "--seed", "7", "--json"], options].concat()));
    let cell = |strategy: &str| {
        let cells = summary["cells"].as_array().unwrap();
        cells.iter().find(|cell| cell["strategy"] == strategy).unwrap().clone()
    };
    let script = cell("redis-script");
    assert_eq!((&script["verdict"], script["effects"].as_u64()), (&"valid".into(), Some(1000)), "{script}");
    for fault in ["request_lost", "reply_lost", "late_landing", "duplicated", "crash"] {
        assert!(script["fired"][fault].as_u64().unwrap() >= 10, "{fault}: {script}");
    }
    assert!(cell("redis-window")["violations"]["lost"].as_u64().unwrap() > 10, "{summary}");
    let checked = oncelab(folder.path(), &["check", summary["dir"].as_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    summary
}

#[test]
fn under_load_a_script_does_everything_once_and_a_window_loses_what_was_not_done() {
    runs(&[]);
    on_redis(|url| async move {
        runs(&["--use", &format!("cache=redis@{url}")]);
        // And on one that the run starts for itself.
        runs(&["--use", "cache=redis", "--provision", "process"]);
    });
}

#[test]
fn a_redis_that_is_killed_comes_back_without_its_keys() {
    on_redis(|_| async {
        let folder = tempfile::tempdir().unwrap();
        let short = ["run", "redis-killed", "--seed", "11", "--set", "load.requests=900", "--json"];
        let here = ["--use", "cache=redis", "--provision", "process"];
        let summary = json(&oncelab(folder.path(), &[&short[..], &here].concat()));
        let cell = |strategy: &str| {
            let cells = summary["cells"].as_array().unwrap();
            cells.iter().find(|cell| cell["strategy"] == strategy).unwrap().clone()
        };
        for cell in summary["cells"].as_array().unwrap() {
            assert_eq!(cell["met"], true, "{cell:#}");
            if cell["strategy"] != "dedup-table-statement" {
                assert!(cell["fired"]["server_killed"].as_u64().unwrap() >= 3, "{cell:#}");
            }
        }
        // What it had acknowledged is gone, with the ledger that it kept.
        assert!(cell("redis-script")["violations"]["lost"].as_u64().unwrap() > 0, "{summary:#}");
        assert_eq!(cell("dedup-table-statement")["verdict"], "valid", "{summary:#}");
        let overlaps = &cell("redis-lock")["causes"]["overlap"];
        assert!(
            overlaps["the server had forgotten"].as_u64().unwrap() > 0 && overlaps["unexplained"].is_null(),
            "{overlaps}"
        );
        let checked = oncelab(folder.path(), &["check", summary["dir"].as_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    });
}

#[test]
fn a_redis_that_cannot_be_used_is_an_error_with_a_remedy_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |used: &str| {
        let output = oncelab(folder.path(), &["replay", "redis-lock", "a", "--use", used]);
        let said = text(&output.stderr);
        assert!(!output.status.success() && !said.contains("hunter2"), "{said}");
        said
    };
    assert!(refused("cache=redsi").contains("did you mean 'redis'"));
    assert!(refused("cache=embedded@redis://h").contains("leave out the @"));
    assert!(refused("cache=redis@redis://h,http://me:hunter2@h").contains("write redis://user:password@host:6379"));
    assert!(refused("cache=redis@http://me:hunter2@h").contains("write redis://user:password@host:6379"));
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let gone = refused(&format!("cache=redis@redis://:hunter2@127.0.0.1:{port}"));
    assert!(gone.contains("check that a Redis runs there"), "{gone}");
    on_redis(|url| async move {
        // The password is what stands behind `pass=`.
        let wrong = url.split("pass=").next().unwrap().to_owned() + "pass=hunter2";
        let said = refused(&format!("cache=redis@{wrong}"));
        assert!(said.contains("give the password in the URL"), "{said}");
    });
}

#[test]
fn a_majority_of_one_server_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for verb in
        [&["replay", "redlock", "a"][..], &["conform", "redlock"], &["run", "redis-locks", "--strategies", "redlock"]]
    {
        let refused = oncelab(folder.path(), &[verb, &["--use", "cache=redis@redis://h,redis://g"]].concat());
        let said = text(&refused.stderr);
        assert!(said.contains("needs 3 Redis servers") && said.contains("a URL of 2"), "{verb:?}: {said}");
    }
}

/// Every request to a master fails in its own way, on a wire of its own.
const WIRED: &str = r#"
name = "wired-masters"
question = "Does each master have a wire of its own?"
strategies = ["redlock"]
load = { requests = 600, warmup = 0, clients = 16, handlers = 16, accounts = 64, timeout_ms = 400, attempts = 20 }
backend = { lease_ttl_s = 60, restart_ms = 5, loss_noticed_ms = 2 }

[[faults]]
name = "wire"
where = "wire"
cache = { request_lost = 0.03, reply_lost = 0.03, late_landing = 0.03 }

# With every master asked in vain there is no majority.
[[faults]]
name = "deaf"
where = "wire"
cache = { request_lost = 1.0 }
"#;

#[test]
fn each_master_has_a_wire_of_its_own() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wired.toml"), WIRED).unwrap();
        let here = ["--store", "postgres", "--store-url", &url, "--use", "cache=redis", "--provision", "process"];
        let run = ["run", "wired.toml", "--seed", "7", "--json", "--set", "backend.durable=false"];
        let summary = json(&oncelab(folder.path(), &[&run[..], &here, &["--faults", "wire"]].concat()));
        let cell = &summary["cells"][0];
        // Six requests to masters for each delivery, and one in eleven of them is lost: no master has fewer than its share.
        for fault in ["request_lost", "reply_lost", "late_landing"] {
            assert!(cell["fired"][fault].as_u64().unwrap() >= 80, "{fault}: {cell:#}");
        }
        assert_eq!(cell["violations"]["overlap"], 0, "{cell:#}");
        let few = ["--faults", "deaf", "--set", "load.requests=20", "--set", "load.attempts=3"];
        let deaf = json(&oncelab(folder.path(), &[&run[..], &here, &few].concat()));
        // Three attempts of twenty requests ask each of three masters, and then each again to let go.
        assert_eq!(deaf["cells"][0]["fired"]["request_lost"], 20 * 3 * 6, "{deaf:#}");
    });
}

/// A key of Redis need not live as long as a lease of etcd.
#[test]
fn whoever_is_paused_for_longer_than_its_key_lives_is_a_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let pauses =
        ["run", "redis-locks", "--strategies", "redis-lock,redlock", "--faults", "pauses", "--seed", "7", "--json"];
    let summary = json(&oncelab(folder.path(), &[&pauses[..], &["--set", "repeats=1"]].concat()));
    for cell in summary["cells"].as_array().unwrap() {
        let overlaps = cell["violations"]["overlap"].as_u64().unwrap();
        assert!(overlaps > 0, "{cell:#}");
        assert_eq!(cell["causes"]["overlap"]["zombie past its lease"].as_u64(), Some(overlaps), "{cell:#}");
    }
}
