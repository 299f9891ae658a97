//! `doctor`: each check red where something is missing, green where it was shown to work.

use serde_json::Value;

use crate::home::Home;
use crate::procs::until;

fn checks(home: &Home, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    let output = home.run(&all);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.code, document["checks"].clone())
}

fn check(checks: &Value, name: &str) -> Value {
    let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks}")).clone()
}

#[test]
fn a_bare_home_is_red_where_nobody_looks_and_nobody_hears_and_each_red_names_what_mends_it() {
    let home = Home::new();
    let (code, found) = checks(&home, &[]);
    assert_eq!(code, 1);
    for (name, mend) in [("trigger", "guardian install --cron"), ("sinks", "[sinks.NAME]")] {
        let check = check(&found, name);
        assert!(check["grade"] == "red" && check["mend"].as_str().unwrap().contains(mend), "{check}");
    }
    assert_eq!(check(&found, "disk")["grade"], "green");
    let text = home.run(&["doctor"]).expect(1).stdout;
    assert!(text.contains("MEND THIS") && text.lines().count() == found.as_array().unwrap().len(), "{text}");
}

#[test]
fn a_trial_run_outlives_the_death_of_everything_that_started_it_and_leaves_nothing_behind() {
    let mut home = Home::new();
    let places = home.path("places");
    std::fs::create_dir(&places).unwrap();
    home.set_env("TMPDIR", &places.display().to_string());
    let (_, found) = checks(&home, &[]);
    let isolation = check(&found, "isolation");
    assert!(
        isolation["grade"] != "red" && isolation["said"].as_str().unwrap().contains("outlived its caller"),
        "{isolation}"
    );
    assert_eq!(std::fs::read_dir(&places).unwrap().count(), 0);
    assert_eq!(crate::procs::carrying(&format!("TMPDIR={}", places.display())), Vec::<i32>::new());
}

#[test]
fn a_home_with_passes_and_a_sink_that_delivered_is_well() {
    let home = Home::new();
    home.listen("");
    home.up("dead", &["--restart", "never"], "exit 3");
    home.hears("dead", "premature");
    until("nothing waits", || home.json(&["alerts"])["pending"] == serde_json::json!([]));
    home.run(&["healthcheck"]);
    let (code, found) = checks(&home, &["--agent"]);
    for name in ["registry", "trigger", "sinks", "disk"] {
        assert_eq!(check(&found, name)["grade"], "green", "{found}");
    }
    assert_eq!(code, 0, "{found}");
}

#[test]
fn for_an_agent_a_sink_that_never_delivered_is_not_good_enough_and_a_broken_registry_is_red_and_no_crash() {
    let home = Home::new();
    home.listen("");
    home.run(&["healthcheck"]);
    assert_eq!(check(&checks(&home, &[]).1, "sinks")["grade"], "yellow");
    assert_eq!(check(&checks(&home, &["--agent"]).1, "sinks")["grade"], "red");
    home.write_registry("[process.x]\ncommand = 5\n");
    let (code, found) = checks(&home, &[]);
    let registry = check(&found, "registry");
    assert!(code == 1 && registry["grade"] == "red" && registry["mend"] == "guardian config check", "{registry}");
}
