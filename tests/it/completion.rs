//! Routes for `completed` and `failed`: somebody is woken within a second of the end, by the shim and not by a pass of cron.

use std::fs;

use crate::home::Home;
use crate::procs::until;

/// A home with a route that notes the time at which it ran, and one that writes a file.
fn home(more: &str) -> Home {
    let home = Home::new();
    let heard = home.path("heard");
    let line = format!("echo $GUARDIAN_NAME $GUARDIAN_EVENT $(date +%s%3N) >> {}", heard.display());
    let told = home.path("told");
    home.write_registry(format!(
        "[sinks.wake]\ntype = 'command'\ncommand = ['/bin/sh', '-c', '{line}']\nevents = ['completed', 'failed']\n\
         [sinks.note]\ntype = 'file'\npath = '{}'\nevents = ['completed', 'failed']\n{more}",
        told.display()
    ));
    home
}

/// Runs a job; the milliseconds from its last act to the route's command.
fn took(home: &Home, name: &str, options: &[&str], code: i32) -> i64 {
    let ended = home.path(&format!("{name}.ended"));
    let options: Vec<&str> = ["--target", "exit", "--restart", "never"].iter().chain(options).copied().collect();
    home.up(name, &options, &format!("date +%s%3N > {}; exit {code}", ended.display()));
    until(&format!("the route hears of {name}"), || heard(home, name).is_some());
    let ended: i64 = fs::read_to_string(ended).unwrap().trim().parse().unwrap();
    heard(home, name).unwrap() - ended
}

/// When the route heard of it.
fn heard(home: &Home, name: &str) -> Option<i64> {
    let line = home.lines("heard").into_iter().find(|line| line.starts_with(&format!("{name} ")))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn the_end_of_a_job_wakes_its_route_within_a_second_whether_it_went_well_or_not() {
    for (code, kind) in [(0, "completed"), (3, "failed")] {
        let home = home("");
        let best = (0..3).map(|nth| took(&home, &format!("job{nth}"), &[], code)).min().unwrap();
        assert!(best < 1000, "{kind}: {best} ms");
        assert!(home.lines("heard").iter().all(|line| line.contains(kind)), "{:?}", home.lines("heard"));
        until("the file tells all three", || {
            fs::read_to_string(home.path("told"))
                .is_ok_and(|text| (0..3).all(|nth| text.contains(&format!("job{nth}"))))
        });
    }
}

#[test]
fn a_route_that_the_process_names_itself_is_woken_as_soon() {
    let home = home("");
    let best = (0..3).map(|nth| took(&home, &format!("job{nth}"), &["--notify", "wake"], 0)).min().unwrap();
    assert!(best < 1000, "{best} ms");
}

#[test]
fn a_sink_that_hangs_does_not_keep_another_route_waiting() {
    let home = home("[sinks.hang]\ntype = 'command'\ncommand = ['sleep', '20']\ntimeout = '20s'\nevents = ['*']\n");
    let best = (0..3).map(|nth| took(&home, &format!("job{nth}"), &[], 0)).min().unwrap();
    assert!(best < 1000, "{best} ms");
}

#[test]
fn twenty_that_end_at_once_are_each_told_in_fewer_messages() {
    let home = home("");
    for nth in 0..20 {
        let line = format!("while [ ! -e {} ]; do sleep 0.02; done", home.path("go").display());
        home.up(&format!("job{nth}"), &["--target", "exit", "--restart", "never"], &line);
    }
    fs::write(home.path("go"), "").unwrap();
    let told = |name: &str| {
        let events = home.events(name);
        events.iter().any(|event| {
            event["kind"] == "alert_delivered"
                && event["detail"].as_str().is_some_and(|detail| detail.contains("`wake`"))
        })
    };
    until("each is told", || (0..20).all(|nth| told(&format!("job{nth}"))));
    let messages = home.lines("heard").len();
    assert!((1..20).contains(&messages), "{messages} messages for twenty ends");
}
