//! Groups: one word for several processes, for every command that takes several.

use crate::home::Home;

/// Two processes in a group, one alone.
fn groups(target: &str) -> Home {
    let home = Home::new();
    let line = if target == "exit" { "exit 0" } else { "exec sleep 1000" };
    for (name, group) in [("a", "trading"), ("b", "trading"), ("c", "web"), ("d", "")] {
        let mut all = vec!["register", name, "--target", target];
        if !group.is_empty() {
            all.extend(["--group", group]);
        }
        all.extend(["--", line]);
        home.ok(&all);
    }
    home
}

fn states(home: &Home) -> Vec<String> {
    ["a", "b", "c", "d"].iter().map(|name| home.state(name)).collect()
}

#[test]
fn start_stop_restart_and_reset_take_a_group() {
    let home = groups("forever");
    home.ok(&["start", "--group", "trading"]);
    assert_eq!(states(&home), ["running", "running", "new", "new"]);
    home.ok(&["start", "--group", "web", "d"]);
    home.ok(&["restart", "--group", "trading"]);
    let runs: Vec<_> = ["a", "b", "c"].iter().map(|name| home.status(name)["run"].clone()).collect();
    assert_eq!(runs, [2, 2, 1]);
    home.ok(&["reset", "--group", "trading"]);
    home.ok(&["stop", "--group", "trading"]);
    assert_eq!(states(&home), ["stopped", "stopped", "running", "running"]);
}

#[test]
fn status_of_a_group_shows_its_members_and_nobody_else() {
    let home = groups("forever");
    let shown = home.json(&["status", "--group", "trading"]);
    let names: Vec<_> = shown["processes"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn wait_for_a_group_waits_for_all_of_it() {
    let home = groups("exit");
    home.ok(&["start", "--group", "trading"]);
    let waited = home.json(&["wait", "--group", "trading", "--timeout", "20s"]);
    assert_eq!((&waited["completed"], &waited["not_completed"]), (&2.into(), &0.into()));
}

#[test]
fn a_group_that_nobody_is_in_is_not_known_and_the_groups_there_are_are_named() {
    let home = groups("forever");
    for command in ["start", "stop", "restart", "status", "wait", "reset"] {
        let refused = home.run(&[command, "--group", "tradign"]).expect(4);
        refused.complains("no process is in group `tradign`").complains("hint: there are: trading, web");
    }
    let empty = Home::new();
    empty.ok(&["register", "x", "--", "true"]);
    empty.run(&["stop", "--group", "y"]).expect(4).complains("no process is in any group");
}
