//! Sinks of every kind as a person sets them up: by `alerts test`, through the real program.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread::{self, JoinHandle};

use crate::home::Home;

/// A server that answers one request with `{"ok":true}`; gives its address, and the request.
pub(crate) fn server() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}").unwrap();
        head + &String::from_utf8(body).unwrap()
    });
    (address, served)
}

impl Home {
    /// Adds to the registry.
    fn sinks(&self, text: &str) {
        self.write_registry(text);
    }
}

fn script(home: &Home, name: &str, text: &str) -> String {
    let path = home.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn each_service_is_reached_with_what_its_table_in_the_registry_says() {
    let cases = [
        (
            "telegram",
            "token = 'hush-hush'\nchat = '42'\napi_base = 'URL'",
            "POST /bothush-hush/sendMessage",
            "\"chat_id\":42",
        ),
        ("slack", "url = 'URL/hush-hush'", "POST /hush-hush", "[guardian]"),
        ("discord", "url = 'URL/hush-hush'", "POST /hush-hush", "allowed_mentions"),
        ("ntfy", "topic = 'hush-hush'\napi_base = 'URL'", "POST / ", "\"topic\":\"hush-hush\""),
        (
            "pushover",
            "token = 'hush-hush'\nuser = 'u'\napi_base = 'URL'",
            "POST /1/messages.json",
            "token=hush-hush&user=u",
        ),
        ("gotify", "token = 'hush-hush'\napi_base = 'URL'", "POST /message", "\"priority\""),
        (
            "matrix",
            "token = 'hush-hush'\nroom = '!a:b'\napi_base = 'URL'",
            "PUT /_matrix/client/v3/rooms/%21a%3Ab/send/",
            "m.text",
        ),
        (
            "pagerduty",
            "routing_key = 'hush-hush'\napi_base = 'URL'",
            "POST /v2/enqueue",
            "\"event_action\":\"trigger\"",
        ),
        ("alertmanager", "url = 'URL'\ntoken = 'hush-hush'", "POST /api/v2/alerts", "\"alertname\":\"guardian\""),
        ("apprise", "url = 'json://hush-hush'\napi_base = 'URL'", "POST /notify/", "json://hush-hush"),
    ];
    for (kind, keys, line, part) in cases {
        let home = Home::new();
        let (url, served) = server();
        home.sinks(&format!("[sinks.s]\ntype = '{kind}'\n{}\n", keys.replace("URL", &url)));
        let output = home.run(&["alerts", "test", "s"]).expect(0);
        let request = served.join().unwrap();
        assert!(request.starts_with(line), "{kind}: {request}");
        assert!(request.contains(part), "{kind}: {request}");
        assert!(!format!("{output:?}").contains("hush-hush"), "{kind} shows its secret: {output:?}");
    }
}

#[test]
fn the_local_mail_system_gets_a_whole_letter_and_its_exit_code_says_whether_to_try_again() {
    let home = Home::new();
    let letter = home.path("letter");
    let good = script(&home, "good", &format!("cat > {}", letter.display()));
    let mail = |program: &str| {
        format!("type = 'sendmail'\nprogram = ['{program}']\nfrom = 'g@example.org'\nto = ['ops@example.org']\n")
    };
    let (bad, busy) = (script(&home, "bad", "echo no such user >&2; exit 67"), script(&home, "busy", "exit 75"));
    home.sinks(&format!("[sinks.good]\n{}[sinks.bad]\n{}[sinks.busy]\n{}", mail(&good), mail(&bad), mail(&busy)));
    home.run(&["alerts", "test", "good"]).expect(0);
    let letter = fs::read_to_string(letter).unwrap();
    for part in ["From: g@example.org", "To: ops@example.org", "Subject: [guardian]", "Auto-Submitted: auto-generated"]
    {
        assert!(letter.contains(part), "{part} in {letter}");
    }
    let output = home.run(&["alerts", "test", "bad"]).expect(1);
    assert!(format!("{output:?}").contains("no such user"), "{output:?}");
    home.run(&["alerts", "test", "busy"]).expect(1);
}

#[test]
fn apprise_gets_its_addresses_in_its_environment_and_never_among_its_arguments() {
    let home = Home::new();
    let seen = home.path("seen");
    let program = script(
        &home,
        "apprise",
        &format!("{{ echo \"args: $*\"; echo \"urls: $APPRISE_URLS\"; cat; }} > {}", seen.display()),
    );
    home.sinks(&format!("[sinks.s]\ntype = 'apprise'\nurl = 'json://hush-hush/x'\nprogram = ['{program}']\n"));
    home.run(&["alerts", "test", "s"]).expect(0);
    let seen = fs::read_to_string(seen).unwrap();
    let (arguments, rest) = seen.split_once('\n').unwrap();
    assert!(!arguments.contains("hush-hush") && rest.contains("urls: json://hush-hush/x"), "{seen}");
    assert!(arguments.contains("-t [guardian]"), "{seen}");
}

#[test]
fn a_desktop_with_a_session_reads_no_option_and_no_markup() {
    let home = Home::new();
    let seen = home.path("seen");
    script(&home, "notify-send", &format!("printf '%s\\n' \"$DBUS_SESSION_BUS_ADDRESS\" \"$@\" > {}", seen.display()));
    home.sinks("[sinks.s]\ntype = 'desktop'\n");
    let path = format!("{}:/usr/bin:/bin", home.path("").display());
    let mut command = home.command(&["alerts", "test", "s"]);
    command.env("PATH", &path).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/tmp/bus");
    assert!(command.status().unwrap().success());
    let seen = fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..6], ["unix:path=/tmp/bus", "-a", "guardian", "-u", "normal", "--"], "{seen}");
}

#[test]
fn a_proxy_in_the_environment_is_used_save_for_the_hosts_that_need_none() {
    let mut home = Home::new();
    let (proxy, asked) = server();
    home.set_env("HTTP_PROXY", &proxy);
    home.sinks("[sinks.s]\ntype = 'webhook'\nurl = 'http://hooks.example.invalid/x'\n");
    home.run(&["alerts", "test", "s"]);
    let request = asked.join().unwrap();
    assert!(request.contains("hooks.example.invalid"), "{request}");
    let (direct, asked) = server();
    home.set_env("HTTP_PROXY", "http://127.0.0.1:1");
    home.set_env("NO_PROXY", "127.0.0.1");
    home.sinks(&format!("[sinks.s]\ntype = 'webhook'\nurl = '{direct}/x'\n"));
    home.run(&["alerts", "test", "s"]).expect(0);
    assert!(asked.join().unwrap().starts_with("POST /x "));
}

#[test]
fn a_template_gives_the_receiver_its_own_form_and_a_mistake_in_one_is_told_with_its_place() {
    let home = Home::new();
    let (url, served) = server();
    let template = r#"{"content": "{{title}}\n{{brief}}", "from": {{host}}, "all": {{json}}}"#;
    home.sinks(&format!("[sinks.s]\ntype = 'webhook'\nurl = '{url}/x'\nmethod = 'PUT'\ntemplate = '{template}'\n"));
    home.run(&["alerts", "test", "s"]).expect(0);
    let request = served.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(head.starts_with("PUT /x HTTP/1.1"), "{head}");
    assert!(body["content"].as_str().unwrap().starts_with("[guardian]"), "{body}");
    assert_eq!((&body["all"]["kind"], &body["all"]["host"]), (&serde_json::json!("test"), &body["from"]));

    home.sinks("[sinks.s]\ntype = 'webhook'\nurl = 'http://127.0.0.1:1'\ntemplate = '{\"a\": {{nmae}}}'\n");
    let told = home.run(&["config", "check"]).expect(78);
    assert!(
        told.stdout.contains("registry.toml:4:19: sink `s`: `template`: there is no placeholder `{{nmae}}`"),
        "{told:?}"
    );
    let file = home.path("body");
    let sink =
        format!("[sinks.s]\ntype = 'webhook'\nurl = 'http://127.0.0.1:1'\ntemplate_file = '{}'\n", file.display());
    home.sinks(&sink);
    fs::write(&file, "{\n  \"a\": {{title}\n}\n").unwrap();
    let told = home.run(&["config", "check"]).expect(78);
    assert!(told.stdout.contains(&format!("{}:2:8: `{{{{` is not closed", file.display())), "{told:?}");
    let told = home.run(&["alerts", "test", "s"]).expect(1);
    assert!(format!("{told:?}").contains(":2:8: `{{` is not closed"), "{told:?}");
    fs::write(&file, "{\n  \"a\": {{title}}\n}\n").unwrap();
    home.run(&["config", "check"]).expect(0);
}
