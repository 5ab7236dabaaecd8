//! `oncelab explore --lanes any`, and the certificates that it writes, by the command line.

use serde_json::Value;

use crate::common::{oncelab, text};

#[test]
fn what_holds_is_proved_and_its_certificate_is_checked_without_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dedup-table.proof.json");
    let path = file.to_str().unwrap();
    let proved = oncelab(folder.path(), &["explore", "dedup-table", "--lanes", "any", "--certificate", path]);
    assert_eq!(proved.status.code(), Some(0), "{}", text(&proved.stderr));
    let said = text(&proved.stdout);
    assert!(said.contains("dedup-table: proved. Never: duplicate, wrong,"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");

    let checked = oncelab(folder.path(), &["check", path]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("dedup-table never shows"), "{}", text(&checked.stdout));
    // A folder of certificates is checked as a whole.
    let all = oncelab(folder.path(), &["check", folder.path().to_str().unwrap(), "--json"]);
    let document: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!((&document[0]["strategy"], &document[0]["wrong"]), (&"dedup-table".into(), &Value::Null), "{document}");

    let whole = std::fs::read_to_string(&file).unwrap();
    let mut certificate: Value = serde_json::from_str(&whole).unwrap();
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut altered = certificate.clone();
        change(&mut altered);
        std::fs::write(&file, altered.to_string()).unwrap();
        oncelab(folder.path(), &["check", path])
    };
    for (change, code, told) in [
        (
            &(|it: &mut Value| drop(it["views"].as_array_mut().unwrap().pop())) as &dyn Fn(&mut Value),
            1,
            "proves nothing",
        ),
        (&|it: &mut Value| it["strategy"] = "row-lock".into(), 1, "proves nothing of row-lock"),
        (&|it: &mut Value| it["store_model"] = "sqlite".into(), 1, "proves nothing"),
        (&|it: &mut Value| it["requests"] = 2.into(), 1, "proves nothing"),
        (&|it: &mut Value| drop(it["rules_out"].as_array_mut().unwrap().pop()), 1, "rules out something else"),
        (&|it: &mut Value| it["format"] = 0.into(), 2, "make it again"),
        (&|it: &mut Value| it["strategy"] = "dedup-tabel".into(), 2, "dedup-table"),
        (&|it: &mut Value| it["more"] = 1.into(), 2, "more"),
    ] {
        let checked = altered(change);
        let said = format!("{}{}", text(&checked.stdout), text(&checked.stderr)).replace('\n', " ");
        assert_eq!(checked.status.code(), Some(code), "{told}: {said}");
        assert!(said.contains(told), "{told}: {said}");
    }
    certificate["views"] = Value::Null;
    std::fs::write(&file, "{").unwrap();
    assert_eq!(oncelab(folder.path(), &["check", path]).status.code(), Some(2));
}

#[test]
fn what_breaks_is_shown_by_a_schedule_and_what_is_neither_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let json = |arguments: &[&str]| {
        let told = oncelab(folder.path(), &[&["explore", "--lanes", "any", "--json"], arguments].concat());
        let document: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
        (told.status.code(), document)
    };
    let (code, broken) = json(&["check-then-act"]);
    assert_eq!((code, &broken["answer"]), (Some(0), &"broken".into()), "{broken}");
    let schedule = broken["minimal"][0]["schedule"].as_str().unwrap();
    let story = oncelab(folder.path(), &["explore", "check-then-act", "--schedule", schedule]);
    assert!(text(&story.stdout).contains("duplicate"), "{}", text(&story.stdout));

    let (code, calm) = json(&["etcd-lock-marker", "--faults", "0"]);
    assert_eq!((code, &calm["answer"]), (Some(0), &"proved".into()), "{calm}");
    let (code, two) = json(&["put", "--requests", "2"]);
    assert_eq!((code, &two["answer"]), (Some(0), &"broken".into()), "{two}");

    let (code, neither) = json(&["dedup-table-repeatable-read"]);
    assert_eq!((code, &neither["answer"]), (Some(3), &"not proved".into()), "{neither}");
    assert!(neither["why"].as_str().unwrap().contains("waits"), "{neither}");
}

#[test]
fn what_makes_no_sense_without_a_bound_is_refused_by_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, told) in [
        (&["explore", "dedup-table", "--lanes", "any", "--retries", "3"][..], "--retries"),
        (&["explore", "dedup-table", "--lanes", "any", "--faults", "2"], "--faults"),
        (&["explore", "dedup-table", "--lanes", "any", "--schedule", "a b"], "--schedule"),
        (&["explore", "dedup-table", "--lanes", "any", "--other-body"], "--other-body"),
        (&["explore", "dedup-table", "--lanes", "any", "--requests", "3"], "--requests"),
        (&["explore", "dedup-table", "--lanes", "many"], "nor 'any'"),
        (&["explore", "dedup-table", "--certificate", "x.json"], "--lanes any"),
    ] {
        let refused = oncelab(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(told), "{arguments:?}: {}", text(&refused.stderr));
    }
}
