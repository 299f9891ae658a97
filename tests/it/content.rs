//! What a message says, by every way it takes, and what it never says: the secrets of a process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::home::Home;
use crate::mail::{MailServer, PASSWORD};
use crate::procs::until;
use crate::sinks::server;

/// A value that only the environment of the process has.
const VALUE: &str = "canary-value-of-the-environment";
/// The example of AWS's own documentation.
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// A token in a header.
const BEARER: &str = "canary0123456789abcdef";

/// Files below `dir` whose content has `secret` in it.
fn holds(dir: &Path, secret: &str) -> Vec<PathBuf> {
    let (mut left, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(secret)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_secret_that_a_program_prints_is_in_its_log_and_nowhere_else() {
    let mail = MailServer::new(&[]);
    let (address, served) = server();
    let mut home = Home::new();
    home.set_env("SSL_CERT_FILE", mail.authority().to_str().unwrap());
    home.set_env("MAIL_PASSWORD", PASSWORD);
    home.set_env("PAYMENT_API_KEY", VALUE);
    let (text, dead) = (home.path("told.txt"), home.path("dead"));
    home.write_registry(format!(
        "{}[sinks.text]\ntype = \"file\"\npath = {text:?}\n[sinks.hook]\ntype = \"webhook\"\nurl = \"{address}/x\"\n\
         [sinks.down]\ntype = \"file\"\npath = \"{}/no/such/place\"\n",
        mail.sink("password_env = \"MAIL_PASSWORD\""),
        dead.display(),
    ));
    home.listen("");
    let script = home.script(
        "leaky",
        &format!(
            "#!/bin/sh\necho pay $PAYMENT_API_KEY\necho using {KEY}\n\
             echo Authorization: Bearer {BEARER}\necho last words\nexit 3\n"
        ),
    );
    home.up("leaky", &["--max-failures", "2", "--backoff", "100ms"], script.to_str().unwrap());
    home.reaches("leaky", "tripped");
    let told = home.hears("leaky", "premature");
    assert!(told["text"].as_str().unwrap().contains("pay ****"), "{told}");
    let letter = mail.receives("the death", |mail| mail.subject.contains("leaky"));
    assert!(letter.text.contains("Bearer ****") && letter.html.contains("using ****"), "{}", letter.text);
    until("the file has it", || fs::read_to_string(&text).is_ok_and(|text| text.contains("last words")));
    let posted = served.join().unwrap();
    assert!(posted.contains("pay ****"), "{posted}");
    home.ok(&["why", "leaky"]);
    home.run(&["why", "leaky", "--run", "1"]);
    let heard = fs::read_to_string(home.path("heard")).unwrap();
    let sent = [heard, posted, fs::read_to_string(&text).unwrap(), letter.text, letter.html];
    for secret in [VALUE, KEY, BEARER] {
        assert!(sent.iter().all(|sent| !sent.contains(secret)), "`{secret}` was sent: {sent:?}");
        let shown = home.run(&["why", "leaky"]).stdout + &home.run(&["events", "leaky", "--json"]).stdout;
        assert!(!shown.contains(secret), "{shown}");
        let kept = holds(&home.state_dir(), secret);
        let allowed = |path: &Path| {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let is_log = path.components().any(|part| part.as_os_str() == "log");
            is_log || (secret == VALUE && path.ends_with("environment") && mode == 0o600)
        };
        assert!(kept.iter().any(|path| path.to_string_lossy().contains("log")), "the log stays as it is: {kept:?}");
        assert!(kept.iter().all(|path| allowed(path)), "`{secret}` is kept in {kept:?}");
    }
    home.ok(&["stop", "leaky"]);
}

#[test]
fn text_and_html_of_a_letter_say_the_same_and_hostile_output_breaks_neither() {
    let server = MailServer::new(&[]);
    let mut home = Home::new();
    home.set_env("SSL_CERT_FILE", server.authority().to_str().unwrap());
    home.set_env("MAIL_PASSWORD", PASSWORD);
    home.write_registry(server.sink("password_env = \"MAIL_PASSWORD\""));
    let line = "printf 'Bcc: evil@example.org\\r\\n\\r\\n=?utf-8?B?ZXZpbA==?= <script>alert(1)</script>\\n'; \
                printf '\\000\\033[31mred\\033[0m \\377\\376 \\342\\200\\256gnp.exe\\n.\\n--boundary--\\n'; \
                head -c 5000 /dev/zero | tr '\\0' x; echo; echo '</pre> & \"last\"'; exit 3";
    home.up("bot", &["--target", "8h", "--backoff", "1h"], line);
    let mail = server.receives("the death", |mail| mail.subject.contains("bot"));
    let (kind, defects, longest) = &mail.form;
    assert_eq!(kind, "multipart/alternative");
    assert!(defects.is_empty() && *longest <= 998, "{defects:?}, {longest}");
    assert!(mail.subject.starts_with("[guardian] WARNING: ") && mail.subject.contains("bot: premature after"));
    assert!(mail.subject.chars().count() <= 120 && mail.subject.contains(" of 8h"), "{}", mail.subject);
    assert!(!mail.headers.to_lowercase().contains("bcc"), "{}", mail.headers);
    assert!(mail.headers.contains("Auto-Submitted: auto-generated"), "{}", mail.headers);
    for bad in ['\0', '\u{1b}', '\u{202e}'] {
        assert!(!mail.text.contains(bad) && !mail.html.contains(bad), "{bad:?}");
    }
    assert!(!mail.html.contains("<script") && mail.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!mail.html.contains("src=") && !mail.html.contains("href="), "it loads nothing");
    let html = mail.html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    for fact in [
        "it exited with code 3",
        " of 8h (0 %)",
        "restart as run 2 in ",
        " UTC, ",
        "1 in a row, 1 in 24 hours",
        "=?utf-8?B?ZXZpbA==?=",
        "red ",
        "</pre> & \"last\"",
        "guardian why bot --run 1",
        "guardian alerts silence bot 2h",
        "guardian alerts ack bot",
    ] {
        assert!(mail.text.contains(fact), "no `{fact}` in {}", mail.text);
        assert!(html.contains(fact), "no `{fact}` in {html}");
    }
    home.ok(&["stop", "bot"]);
}

#[test]
fn how_often_it_failed_of_late_and_when_it_is_tried_again_is_told() {
    let home = Home::new();
    home.listen("cooldown = \"0s\"");
    home.up("bot", &["--max-failures", "3", "--backoff", "100ms"], "exit 1");
    let told = home.hears("bot", "tripped");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("3 in a row, 3 in 24 hours"), "{text}");
    assert!(text.contains("Next:    ") && text.contains(" UTC, "), "{text}");
    assert_eq!(told["failures_24h"], 3);
    assert!(told["next_at"].as_str().unwrap().ends_with('Z'), "{told}");
    assert!(told["title"].as_str().unwrap().contains("CRITICAL"), "{told}");
    home.ok(&["stop", "bot"]);
}
