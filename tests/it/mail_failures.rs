//! A real mail server that puts off, refuses or breaks off; and output of any size.

use crate::home::Home;
use crate::mail::{Mail, MailServer, PASSWORD};
use crate::procs::{eventually, until};

/// No letter is longer, whatever a process writes.
const LETTER_MAX: usize = 64 << 10;

fn home_with(server: &MailServer) -> Home {
    let mut home = Home::new();
    home.set_env("MAIL_PASSWORD", PASSWORD);
    let more = format!("password_env = \"MAIL_PASSWORD\"\nca_file = {:?}", server.authority());
    home.write_registry(server.sink(&more));
    home
}

fn die(home: &Home) {
    home.up("bot", &["--restart", "never", "--target", "8h"], "echo last words; exit 3");
    home.reaches("bot", "dead");
}

/// The id of the one alert that waits, once its first try has failed with these words.
fn waits_with(home: &Home, words: &str) -> String {
    eventually("the alert waits for its retry", || {
        let alerts = home.json(&["alerts"]);
        let entry = &alerts["pending"][0];
        let failed = entry["last_error"].as_str()?.contains(words);
        assert_eq!((&entry["attempts"], entry["next_try_at"].is_string()), (&1.into(), failed), "{alerts}");
        failed.then(|| entry["id"].as_str().unwrap().to_owned())
    })
}

fn message_id(mail: &Mail) -> String {
    mail.headers.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned()
}

#[test]
fn a_server_that_greylists_is_asked_again_and_then_has_it_once_under_its_id() {
    let server = MailServer::new(&["--greylist"]);
    let home = home_with(&server);
    die(&home);
    let id = waits_with(&home, "greylisted");
    assert!(server.mails().is_empty());
    home.ok(&["alerts", "retry"]);
    let mail = server.receives("the death", |mail| mail.subject.contains("bot"));
    assert!(message_id(&mail).starts_with(&format!("<{id}@")), "{} {id}", mail.headers);
    home.run(&["alerts", "retry"]).expect(0);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_message_refused_for_good_is_kept_said_by_status_and_told_through_another_sink() {
    let server = MailServer::new(&["--refuse-data"]);
    let home = home_with(&server);
    home.listen("processes = [\"nothing-*\"]");
    die(&home);
    let told = home.hears("guardian", "alert_failed");
    let title = told["title"].as_str().unwrap();
    assert!(title.contains("ops (email) could not be told of 1 alert about bot since"), "{title}");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("554") && text.contains("it is kept: guardian alerts") && text.len() < 2000, "{text}");
    let alerts = home.json(&["alerts"]);
    assert!(alerts["dead"][0]["last_error"].as_str().unwrap().contains("554"), "{alerts}");
    let status = home.run(&["status"]).expect(1);
    assert!(
        status.stdout.contains("alerts do not arrive (1 given up), sink `ops`")
            && status.stdout.contains("guardian alerts")
    );
    let status = home.json(&["status"]);
    assert_eq!((&status["alerts"]["dead"], &status["alerts"]["sink"]), (&1.into(), &"ops".into()), "{status}");
    home.run(&["healthcheck"]).expect(1);
    home.run(&["healthcheck"]).expect(1);
    assert_eq!(home.told().len(), 1, "once: {:?}", home.told());
    assert!(server.mails().is_empty());
}

#[test]
fn a_server_that_breaks_off_is_asked_again_under_the_same_id_as_nobody_knows_whether_it_has_it() {
    let server = MailServer::new(&["--break-off"]);
    let home = home_with(&server);
    die(&home);
    waits_with(&home, "message");
    home.ok(&["alerts", "retry"]);
    until("it came again", || server.mails().len() == 2);
    let ids: Vec<String> = server.mails().iter().map(message_id).collect();
    assert_eq!(ids[0], ids[1]);
    home.run(&["alerts", "retry"]).expect(0);
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn ten_megabytes_of_output_in_one_line_or_many_of_any_letters_make_a_letter_that_is_short() {
    let server = MailServer::new(&[]);
    let home = home_with(&server);
    for (name, program) in [
        ("one-line", "print('x' * (10 << 20))"),
        ("many-lines", "print(('y' * 99 + '\\n') * (10 << 20 // 100 // 100))"),
        ("wide", "print('\\U0001F980' * (3 << 20))"),
        ("endless", "import sys; sys.stdout.write('z' * (10 << 20))"),
    ] {
        let line = format!("python3 -c \"{}\"; exit 3", program.replace("10 << 20 // 100 // 100", "100000"));
        home.up(name, &["--restart", "never", "--target", "8h"], &line);
        home.reaches(name, "dead");
        let mail = server.receives(name, |mail| mail.subject.contains(name));
        assert!(mail.subject.chars().count() <= 120, "{name}: {}", mail.subject);
        assert!(
            mail.text.len() > 300 && mail.text.len() + mail.headers.len() < LETTER_MAX,
            "{name}: {}",
            mail.text.len()
        );
        assert!(mail.text.contains("Last output:"), "{name}: {}", mail.text);
    }
}
