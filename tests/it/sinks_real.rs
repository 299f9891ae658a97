//! Sinks against the real receivers: Apprise from PyPI, Debian's Alertmanager, msmtp before a real mail server.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::home::Home;
use crate::mail::{MailServer, PASSWORD};
use crate::procs::{all, cmdline, eventually, until};

/// An HTTP receiver that keeps each body as JSON, and answers 200 or what it is told to.
struct Receiver {
    address: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    /// `look` runs while the sender waits for its answer.
    fn new(status: &'static str, look: impl Fn() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
                let length = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ").and_then(|length| length.parse().ok())
                });
                let mut body = vec![0; length.unwrap_or(0)];
                stream.read_exact(&mut body).unwrap();
                look();
                kept.lock().unwrap().push(serde_json::from_slice(&body).expect("JSON"));
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
                drop(stream.get_mut().write_all(answer.as_bytes()));
            }
        });
        Self { address, bodies }
    }

    fn got(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

/// Apprise's own program.
fn apprise() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/apprise");
    assert!(program.exists(), "no {}: scripts/test makes it", program.display());
    program
}

fn apprise_sink(url: &str) -> String {
    let program = apprise();
    format!("[sinks.s]\ntype = 'apprise'\ntimeout = '60s'\nurl = '{url}'\nprogram = ['{}']\n", program.display())
}

#[test]
fn apprise_itself_delivers_and_its_secret_is_in_no_argument_while_it_runs() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let receiver = Receiver::new("200 OK", move || {
        let lines = all().into_iter().map(cmdline).filter(|line| line.contains("apprise"));
        keep.lock().unwrap().extend(lines);
    });
    let home = Home::new();
    home.write_registry(apprise_sink(&format!("json://{}/hush-apprise", receiver.address)));
    let output = home.run(&["alerts", "test", "s"]).expect(0);
    let body = receiver.got().remove(0);
    assert!(body["title"].as_str().unwrap().starts_with("[guardian]"), "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("this is a test") && body["type"] == "info", "{body}");
    let seen = seen.lock().unwrap().clone();
    assert!(seen.iter().any(|line| line.contains("-t [guardian]")), "it was looked at while it ran: {seen:?}");
    assert!(!seen.iter().any(|line| line.contains("hush-apprise")), "{seen:?}");
    assert!(!format!("{output:?}").contains("hush-apprise"), "{output:?}");
}

#[test]
fn what_apprise_could_not_deliver_is_said_and_not_taken_for_delivered() {
    let receiver = Receiver::new("500 Broken", || {});
    let home = Home::new();
    for url in [format!("json://{}/hush-apprise", receiver.address), "nonsense://hush-apprise".to_owned()] {
        home.write_registry(apprise_sink(&url));
        let output = home.run(&["alerts", "test", "s"]).expect(1);
        assert!(output.stderr.contains("ended with exit status"), "{output:?}");
        assert!(!format!("{output:?}").contains("hush-apprise"), "{output:?}");
    }
}

/// Debian's Alertmanager on loopback; it ends with the value.
struct Alertmanager {
    _dir: tempfile::TempDir,
    child: Child,
    address: String,
}

impl Alertmanager {
    fn new(webhook: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = dir.path().join("config.yml");
        let text = format!(
            "route: {{receiver: hook, group_by: [group], group_wait: 2s, group_interval: 1s}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: 'http://{webhook}/', send_resolved: true}}]}}]\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("/usr/bin/prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-alertmanager: scripts/test installs it");
        let server = Self { _dir: dir, child, address };
        until("Alertmanager is ready", || server.get("/-/ready").is_some_and(|text| text.contains("200 OK")));
        server
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Its active alerts, as its own API lists them.
    fn active(&self) -> Vec<Value> {
        let text = self.get("/api/v2/alerts?active=true").unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_real_alertmanager_lists_groups_and_resolves_what_it_is_told() {
    let receiver = Receiver::new("200 OK", || {});
    let server = Alertmanager::new(&receiver.address);
    let home = Home::new();
    home.write_registry(format!("[sinks.s]\ntype = 'alertmanager'\nurl = 'http://{}'\n", server.address));
    for name in ["bot-a", "bot-b"] {
        let options = ["--group", "trade", "--healthy-after", "300ms", "--restart", "never"];
        home.up(name, &options, &format!("[ -e {name}-good ] && exec sleep 1000; exit 3"));
    }
    let listed = eventually("both alerts are active", || Some(server.active()).filter(|alerts| alerts.len() == 2));
    for alert in &listed {
        let labels = &alert["labels"];
        assert_eq!((&labels["alertname"], &labels["group"]), (&"guardian".into(), &"trade".into()), "{alert}");
        assert!(labels["guardian_name"].as_str().unwrap().starts_with("bot-"), "{alert}");
        assert!(alert["annotations"]["summary"].as_str().unwrap().contains("[guardian]"), "{alert}");
    }
    // It may tell both in one message or each in its own: that is up to when it hears of them.
    let states = |state: &'static str| {
        eventually(&format!("the webhook behind it hears both as {state}"), || {
            let told = receiver.got();
            let alerts = told.iter().flat_map(|told| told["alerts"].as_array().unwrap());
            let names =
                alerts.filter(|alert| alert["status"] == state).map(|alert| alert["labels"]["guardian_name"].clone());
            (names.map(|name| name.to_string()).collect::<BTreeSet<_>>().len() == 2).then_some(told)
        })
    };
    assert!(states("firing").iter().all(|told| told["groupLabels"]["group"] == "trade"));
    for name in ["bot-a", "bot-b"] {
        let directory = home.status(name)["workdir"].as_str().map(PathBuf::from).unwrap_or_else(|| home.path(""));
        fs::write(directory.join(format!("{name}-good")), "").unwrap();
        home.ok(&["start", name]);
    }
    until("no alert is active any more", || server.active().is_empty());
    states("resolved");
}

/// A home whose `sendmail` is msmtp, before this port.
fn home_of_msmtp(server: &MailServer, host: &str, port: u16, to: &str) -> Home {
    let home = Home::new();
    let config = home.path("msmtprc");
    let text = format!(
        "account default\nhost {host}\nport {port}\ntls on\ntls_trust_file {}\nauth on\nuser guardian\n\
         password \"{PASSWORD}\"\nfrom guardian@example.org\n",
        server.authority().display()
    );
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    home.write_registry(format!(
        "[sinks.s]\ntype = 'sendmail'\nprogram = ['/usr/bin/msmtp', '--file={}']\nfrom = 'guardian@example.org'\n\
         to = ['{to}']\n",
        config.display()
    ));
    home
}

/// A death, and what the only delivery of it came to.
fn delivery_of_a_death(home: &Home) -> (&'static str, Value) {
    home.up("bot", &["--restart", "never", "--target", "8h"], "exit 3");
    eventually("it was tried", || {
        let alerts = home.json(&["alerts", "--json"]);
        ["pending", "dead"].into_iter().find_map(|part| {
            // What is given up is noted first and then moved: in between it waits for nothing.
            let is_settled = |alert: &&Value| part == "dead" || alert["next_try_at"].is_string();
            let alert =
                alerts[part].as_array()?.iter().filter(is_settled).find(|alert| alert["last_error"].is_string())?;
            Some((part, alert.clone()))
        })
    })
}

#[test]
fn msmtp_delivers_a_whole_letter() {
    let server = MailServer::new(&[]);
    let home = home_of_msmtp(&server, "localhost", server.port, "ops@example.org");
    home.run(&["alerts", "test", "s"]).expect(0);
    let mail = server.receives("the test", |mail| mail.subject.contains("[guardian]"));
    assert_eq!(mail.to, ["ops@example.org"]);
}

#[test]
fn what_msmtp_is_refused_ends_and_a_mail_server_that_is_down_or_not_found_is_tried_again() {
    let server = MailServer::new(&["--reject", "gone@example.org"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cases = [
        ("localhost", server.port, "gone@example.org", "dead"),
        ("localhost", nobody, "ops@example.org", "pending"),
        ("mail.invalid", 25, "ops@example.org", "pending"),
    ];
    for (host, port, to, want) in cases {
        let (part, alert) = delivery_of_a_death(&home_of_msmtp(&server, host, port, to));
        assert_eq!(part, want, "{host}: {alert}");
    }
}
