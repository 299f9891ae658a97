//! Mail through a real server: TLS, AUTH, recipients, and every way in which a server can fail.

use std::net::TcpListener;

use crate::home::Home;
use crate::mail::{MailServer, PASSWORD};
use crate::procs::{cmdline, eventually, now_ms, until};

/// A home whose alerts go to this server.
fn home_with(server: &MailServer, more: &str) -> Home {
    let mut home = Home::new();
    home.set_env("SSL_CERT_FILE", server.authority().to_str().unwrap());
    home.set_env("MAIL_PASSWORD", PASSWORD);
    home.write_registry(server.sink(&format!("password_env = \"MAIL_PASSWORD\"\n{more}")));
    home
}

/// A service that dies once and stays dead.
fn die(home: &Home, name: &str) {
    home.up(name, &["--restart", "never", "--target", "8h"], "echo last words; exit 3");
    home.reaches(name, "dead");
}

#[test]
fn a_death_arrives_through_starttls_and_auth() {
    let server = MailServer::new(&[]);
    let home = home_with(&server, "");
    die(&home, "bot");
    let mail = server.receives("the death", |mail| mail.subject.contains("bot"));
    assert_eq!(mail.to, ["ops@example.org"]);
    for expected in ["premature", "8h", "last words", "code 3"] {
        assert!(mail.text.contains(expected), "no `{expected}` in {}", mail.text);
    }
    assert!(mail.headers.contains("Message-ID") && mail.headers.contains("auto-generated"), "{}", mail.headers);
}

#[test]
fn implicit_tls_works_as_well() {
    let server = MailServer::new(&["--implicit"]);
    let home = home_with(&server, "");
    die(&home, "bot");
    server.receives("the death", |mail| mail.subject.contains("bot"));
}

#[test]
fn a_password_can_come_from_a_file_or_a_command() {
    let server = MailServer::new(&[]);
    for form in ["password_file = \"PATH\"", "password_command = [\"cat\", \"PATH\"]"] {
        let mut home = Home::new();
        home.set_env("SSL_CERT_FILE", server.authority().to_str().unwrap());
        let path = home.script("password", &format!("{PASSWORD}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        home.write_registry(server.sink(&form.replace("PATH", path.to_str().unwrap())));
        let before = server.mails().len();
        home.ok(&["alerts", "test", "ops"]);
        until("the test mail arrives", || server.mails().len() == before + 1);
    }
}

#[test]
fn a_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    let server = MailServer::new(&[]);
    let mut home = home_with(&server, "");
    home.set_env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    home.run(&["alerts", "test", "ops"]).expect(1);
    assert!(server.mails().is_empty());
}

#[test]
fn a_wrong_password_is_said_and_the_alert_waits() {
    let server = MailServer::new(&[]);
    let mut home = home_with(&server, "");
    home.set_env("MAIL_PASSWORD", "wrong");
    home.run(&["alerts", "test", "ops"]).expect(1).complains("535");
    die(&home, "bot");
    until("why it failed is listed", || home.run(&["alerts"]).stdout.contains("535"));
    home.set_env("MAIL_PASSWORD", PASSWORD);
    home.ok(&["alerts", "retry"]);
    server.receives("the death", |mail| mail.subject.contains("bot"));
}

#[test]
fn one_refused_recipient_of_three_does_not_cost_the_others_theirs() {
    let server = MailServer::new(&["--reject", "gone@example.org"]);
    let sink = server
        .sink("password_env = \"MAIL_PASSWORD\"")
        .replace("[\"ops@example.org\"]", "[\"a@example.org\", \"gone@example.org\", \"b@example.org\"]");
    let home = home_with(&server, "");
    home.write_registry(sink);
    die(&home, "bot");
    let to = eventually("both others have it", || {
        let mut to: Vec<String> = server.mails().iter().flat_map(|mail| mail.to.clone()).collect();
        to.sort();
        (to.len() >= 2).then_some(to)
    });
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    home.run(&["healthcheck"]);
    home.run(&["alerts", "retry"]);
    let again: usize = server.mails().iter().map(|mail| mail.to.len()).sum();
    assert_eq!(again, 2, "somebody was told twice");
}

#[test]
fn a_server_that_is_down_loses_nothing_and_doubles_nothing() {
    let mut server = MailServer::new(&[]);
    let home = home_with(&server, "");
    server.stop();
    die(&home, "bot");
    until("the alert waits", || home.ok(&["alerts"]).contains("bot"));
    server.start();
    home.ok(&["alerts", "retry"]);
    server.receives("the death", |mail| mail.subject.contains("bot"));
    home.run(&["healthcheck"]);
    home.run(&["alerts", "retry"]);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_server_that_never_answers_does_not_delay_the_restart() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new();
    home.write_registry(format!(
        "[sinks.ops]\ntype = \"email\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"g@example.org\"\n\
         to = [\"ops@example.org\"]\ntimeout = \"12s\"\n",
        silent.local_addr().unwrap().port()
    ));
    home.up("bot", &["--backoff", "200ms", "--max-failures", "3"], "echo $$ >> pids; exit 1");
    let begun = now_ms();
    home.has_lines("pids", 3);
    assert!(now_ms() - begun < 11_000, "its restarts waited for the mail server");
    home.reaches("bot", "tripped");
    until("the alert waits", || home.ok(&["alerts"]).contains("bot"));
}

#[test]
fn control_characters_in_the_output_reach_neither_headers_nor_terminal() {
    let server = MailServer::new(&[]);
    let home = home_with(&server, "");
    let line = "printf 'Bcc: evil@example.org\\r\\nX: 1\\r\\n\\033[31mred\\a\\n'; exit 3";
    home.up("bot", &["--restart", "never"], line);
    let mail = server.receives("the death", |mail| mail.subject.contains("bot"));
    assert!(!mail.headers.to_lowercase().contains("bcc"), "{}", mail.headers);
    assert!(!mail.text.contains('\u{1b}') && !mail.text.contains('\u{7}'), "{:?}", mail.text);
    assert!(mail.text.contains("red"));
    assert_eq!(mail.to, ["ops@example.org"]);
}

#[test]
fn d45_d46_the_password_is_in_no_argument_log_file_or_message() {
    let server = MailServer::new(&[]);
    let mut home = home_with(&server, "");
    let file = home.path("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    home.set_env("MAIL_PASSWORD", "unused");
    home.write_registry(server.sink(&format!("password_file = {file:?}")));
    die(&home, "bot");
    let mail = server.receives("the death", |mail| mail.subject.contains("bot"));
    assert!(!mail.text.contains(PASSWORD) && !mail.headers.contains(PASSWORD));
    for pid in home.processes() {
        assert!(!cmdline(pid).contains(PASSWORD));
    }
    let mut left = vec![home.root()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(PASSWORD), "{} holds the password", path.display());
        }
    }
    for arguments in [&["alerts"][..], &["status"], &["events"], &["config", "check"]] {
        assert!(!home.run(arguments).stdout.contains(PASSWORD), "{arguments:?}");
    }
}

#[test]
fn a_recovery_is_told_and_refers_to_the_alert() {
    let server = MailServer::new(&[]);
    let home = home_with(&server, "");
    home.up("bot", &["--healthy-after", "500ms"], "[ -e once ] && exec sleep 1000; touch once; exit 1");
    let death = server.receives("the death", |mail| mail.text.contains("premature"));
    let recovery = server.receives("the recovery", |mail| mail.subject.to_lowercase().contains("recover"));
    let id = death.headers.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned();
    assert!(recovery.headers.contains(&format!("In-Reply-To: {id}")), "{}", recovery.headers);
}
