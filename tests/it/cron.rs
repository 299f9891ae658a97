//! `install --cron`: an edit of the user's crontab that touches nothing of the user's; and the watch over cron itself.

use crate::home::Home;
use crate::procs::until;
use crate::rig_cron::{Cron, Daemon};

/// Lines that cron would run: neither comment, empty, nor a variable.
fn jobs(table: &str) -> Vec<&str> {
    table.lines().filter(|line| line.starts_with(['*', '@', '0', '1', '2', '3', '4', '5'])).collect()
}

#[test]
fn d48_it_installs_into_a_missing_and_into_an_empty_crontab_and_twice_is_once() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    assert_eq!(cron.table(&home), None);
    cron.run(&home, &["install", "--cron"]).expect(0);
    let table = cron.table(&home).unwrap();
    let lines = jobs(&table);
    assert_eq!(lines.len(), 2, "{table}");
    assert!(
        lines.iter().any(|line| line.starts_with("@reboot")) && lines.iter().any(|line| line.starts_with("* * * * *"))
    );
    assert!(lines.iter().all(|line| line.contains("healthcheck")), "{table}");

    cron.run(&home, &["install", "--cron"]).expect(0);
    assert_eq!(cron.table(&home).unwrap(), table);
    cron.run(&home, &["uninstall", "--cron"]).expect(0);
    assert_eq!(jobs(&cron.table(&home).unwrap_or_default()), Vec::<&str>::new());

    cron.set_table(&home, "");
    cron.run(&home, &["install", "--cron"]).expect(0);
    assert_eq!(jobs(&cron.table(&home).unwrap()).len(), 2);
}

#[test]
fn d48_nothing_of_the_users_is_touched() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    let mine = "# my crontab\nMAILTO=me@example.org\n\n*/5 * * * *\tmy-job --with '%d' \\% # guardian? no\n@daily other healthcheck\n";
    cron.set_table(&home, mine);
    cron.run(&home, &["install", "--cron"]).expect(0);
    let table = cron.table(&home).unwrap();
    assert!(table.contains(mine), "{table}");
    cron.run(&home, &["uninstall", "--cron"]).expect(0);
    assert_eq!(cron.table(&home).unwrap(), mine);
}

/// Debian's `crontab -l` shows a carriage return as two characters, which are not what is in the file.
#[test]
fn a_crontab_with_the_line_ends_of_windows_is_left_as_it_is() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    cron.set_table(&home, "MAILTO=me\r\n@daily mine\r\n");
    let shown = cron.table(&home).unwrap();
    if !shown.contains("\\r\n") {
        return; // this one shows what is there
    }
    cron.run(&home, &["uninstall", "--cron"]).expect(0);
    cron.run(&home, &["install", "--cron"]).expect(5).complains("line 1").complains("carriage return");
    assert_eq!(cron.table(&home).unwrap(), shown);
}

#[test]
fn a_dry_run_prints_the_crontab_and_changes_nothing() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    let shown = cron.run(&home, &["install", "--cron", "--dry-run"]).expect(0).stdout;
    assert!(shown.contains("* * * * *") && shown.contains("@reboot"), "{shown}");
    assert_eq!(cron.table(&home), None);
}

#[test]
fn every_five_minutes_is_every_five_minutes() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    cron.run(&home, &["install", "--cron", "--every", "5m"]).expect(0);
    let table = cron.table(&home).unwrap();
    assert!(jobs(&table).iter().any(|line| line.starts_with("*/5 * * * *")), "{table}");
    cron.run(&home, &["install", "--cron", "--every", "7h"]).expect(2);
    assert_eq!(cron.table(&home).unwrap(), table);
}

#[test]
fn d49_the_line_works_as_cron_runs_it_even_from_a_home_with_spaces_quotes_and_percents() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    let odd = home.path("it's 100% a \"home\"");
    let odd = odd.to_str().unwrap();
    cron.run(&home, &["--home", odd, "register", "bot", "--start", "--", "exec sleep 1000"]).expect(0);
    cron.run(&home, &["--home", odd, "install", "--cron"]).expect(0);
    let table = cron.table(&home).unwrap();
    let line = jobs(&table).into_iter().find(|line| line.starts_with("* *")).unwrap().to_owned();
    // As cron does: five fields, then the command up to the first bare `%`; `\%` is `%`; /bin/sh, almost no environment.
    let mut rest = line.as_str();
    for _ in 0..5 {
        rest = rest.split_once(' ').unwrap().1.trim_start();
    }
    let (mut command, mut escaped) = (String::new(), false);
    for letter in rest.chars() {
        match letter {
            '%' if escaped => {
                command.pop();
                command.push('%')
            }
            '%' => break,
            other => command.push(other),
        }
        escaped = letter == '\\';
    }
    let mut shell = home.other_command("/bin/sh".as_ref());
    shell.env_clear().env("HOME", home.path("home")).env("PATH", "/usr/bin:/bin").args(["-c", &command]);
    for (name, value) in
        table.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| !name.contains([' ', '#']))
    {
        shell.env(name.trim(), value.trim());
    }
    let output = crate::home::finish(shell).expect(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "cron would mail this");
    let status = cron.run(&home, &["--home", odd, "--json", "status"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status["healthcheck"]["last_at"].is_string(), "{status}");
    cron.run(&home, &["--home", odd, "stop", "bot"]).expect(0);
}

#[test]
fn d50_status_says_when_no_pass_ever_ran_or_the_last_is_overdue() {
    let home = Home::new();
    home.write_registry("[healthcheck]\nevery = \"1s\"\n");
    home.up("bot", &[], "exec sleep 1000");
    assert_eq!(home.json(&["status"])["healthcheck"]["last_at"], serde_json::Value::Null);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.json(&["status"])["healthcheck"]["overdue"], false);
    until("the pass is overdue", || home.json(&["status"])["healthcheck"]["overdue"] == true);
    let shown = home.run(&["status"]);
    assert!((shown.stdout + &shown.stderr).contains("overdue"));
}
