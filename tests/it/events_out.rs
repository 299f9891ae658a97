//! Events on their way into other people's logs: the real journald, the real rsyslog, OpenTelemetry's own message types, and
//! `events -f --json` as a stream.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, signal, until};

/// A daemon that ends with the test.
struct Daemon(Child);

impl Daemon {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}: scripts/test")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        signal(i32::try_from(self.0.id()).unwrap(), Signal::SIGKILL);
        drop(self.0.wait());
    }
}

/// What journald has of guardian's, as `journalctl` prints it.
fn journal(dir: &Path) -> Vec<Value> {
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["-o", "json", "--all", "--no-pager", "-t", "guardian", "-D"]).arg(dir.join("log/journal"));
    let output = journalctl.output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_real_journald_has_every_field_by_its_own_protocol_and_by_syslogs() {
    let home = Home::new();
    let run = home.path("run");
    for dir in ["systemd/journal", "log/journal"] {
        fs::create_dir_all(run.join(dir)).unwrap();
    }
    // Its own /run is a directory of ours, so that its sockets can be reached from here.
    let script = format!("mount --bind {} /run && exec /lib/systemd/systemd-journald", run.display());
    let _journald = Daemon::start("unshare", &["-m", "--propagation", "private", "sh", "-c", &script]);
    let sockets = run.join("systemd/journal");
    until("journald listens", || sockets.join("socket").exists() && sockets.join("dev-log").exists());
    home.write_registry(format!(
        "[sinks.journal]\ntype = 'journald'\naddress = '{0}/socket'\nevents = ['*']\n\
         [sinks.log]\ntype = 'syslog'\naddress = '{0}/dev-log'\nfacility = 'local3'\nevents = ['*']\n",
        sockets.display()
    ));
    home.up("bot", &["--target", "exit", "--group", "jobs"], "echo oops >&2; exit 3");
    home.reaches("bot", "dead");
    let is_failure = |entry: &Value| entry["GUARDIAN_KIND"] == "failed";
    let entry = eventually("the failure is in the journal", || journal(&run).into_iter().find(is_failure));
    for (field, want) in [
        ("PRIORITY", "4"),
        ("GUARDIAN_PROCESS", "bot"),
        ("GUARDIAN_GROUP", "jobs"),
        ("GUARDIAN_RUN", "1"),
        ("GUARDIAN_CAUSE", "exited"),
        ("GUARDIAN_EXIT_CODE", "3"),
        ("GUARDIAN_VERDICT", "failed"),
    ] {
        assert_eq!(entry[field], want, "{field} of {entry}");
    }
    let text = entry["GUARDIAN_TEXT"].as_str().unwrap();
    assert!(text.lines().count() > 3 && text.contains("oops"), "several lines arrive whole: {text}");
    assert!(entry["MESSAGE"].as_str().unwrap().contains("bot"), "{entry}");
    let is_by_syslog = |entry: &Value| {
        entry["_TRANSPORT"] == "syslog" && entry["MESSAGE"].as_str().is_some_and(|said| said.contains("failed"))
    };
    let entry = eventually("the same came by syslog", || journal(&run).into_iter().find(is_by_syslog));
    assert_eq!((&entry["PRIORITY"], &entry["SYSLOG_FACILITY"]), (&"4".into(), &"19".into()), "{entry}");
    assert!(entry["MESSAGE"].as_str().unwrap().starts_with("WARNING: "), "the header is gone: {entry}");
}

#[test]
fn the_real_rsyslog_reads_it_from_a_socket_a_datagram_and_a_connection() {
    let home = Home::new();
    let port = || {
        let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        (udp.local_addr().unwrap().port(), tcp.local_addr().unwrap().port())
    };
    let (udp, tcp) = port();
    let (socket, file) = (home.path("log"), home.path("messages"));
    let config = format!(
        "module(load=\"imuxsock\" SysSock.Name=\"{0}\")\nmodule(load=\"imudp\")\nmodule(load=\"imtcp\")\n\
         input(type=\"imudp\" address=\"127.0.0.1\" port=\"{udp}\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\")\n\
         template(name=\"all\" type=\"string\" string=\"%inputname%|%pri%|%app-name%|%msgid%|%hostname%|%structured-data%|%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{1}\" template=\"all\")\n",
        socket.display(),
        file.display()
    );
    fs::write(home.path("rsyslog.conf"), config).unwrap();
    let (config, pid) = (home.path("rsyslog.conf"), home.path("rsyslog.pid"));
    let _rsyslog = Daemon::start("rsyslogd", &["-n", "-f", config.to_str().unwrap(), "-i", pid.to_str().unwrap()]);
    until("rsyslog listens", || socket.exists() && TcpStream::connect(("127.0.0.1", tcp)).is_ok());
    home.write_registry(format!(
        "[sinks.local]\ntype = 'syslog'\naddress = '{}'\n[sinks.udp]\ntype = 'syslog'\naddress = 'udp://127.0.0.1:{udp}'\n\
         [sinks.tcp]\ntype = 'syslog'\naddress = 'tcp://127.0.0.1:{tcp}'\nfacility = 'local7'\n",
        socket.display()
    ));
    for (sink, pri) in [("local", "30"), ("udp", "30"), ("tcp", "190")] {
        home.ok(&["alerts", "test", sink]);
        let input = match sink {
            "local" => "imuxsock",
            _ => &format!("im{sink}"),
        };
        let line = eventually(&format!("what {sink} sent is in the log"), || {
            home.lines("messages").into_iter().find(|line| line.starts_with(input) && line.contains("guardian"))
        });
        let parts: Vec<&str> = line.splitn(7, '|').collect();
        assert_eq!((parts[1], parts[2]), (pri, "guardian"), "{line}");
        assert!(parts[6].contains("this is a test"), "{line}");
        if sink != "local" {
            assert!(parts[3] == "test" && parts[5].starts_with("[guardian@32473 id=\"guardian.test."), "{line}");
        }
    }
}

/// Reads JSON as the collector does: a field that it does not know, or of another type, is an error.
const COLLECTOR: &str = "
import sys
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
request = Parse(sys.stdin.read(), ExportLogsServiceRequest())
record = request.resource_logs[0].scope_logs[0].log_records[0]
attributes = {a.key: a.value for a in record.attributes}
assert {a.key: a.value.string_value for a in request.resource_logs[0].resource.attributes}['service.name'] == 'guardian'
assert record.time_unix_nano > 10**18 and record.event_name == 'guardian.failed', record
assert attributes['guardian.run'].int_value == 1, record
print(record.severity_number, record.severity_text, attributes['guardian.process'].string_value)
";

#[test]
fn opentelemetrys_own_message_types_read_a_log_record() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.write_registry(format!(
        "[sinks.o]\ntype = 'otlp'\nurl = 'http://{}'\nevents = ['failed']\n",
        listener.local_addr().unwrap()
    ));
    home.up("bot", &["--target", "exit"], "exit 3");
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let (mut head, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).unwrap() > 2 {
        head.push_str(&std::mem::take(&mut line));
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    assert!(head.starts_with("POST /v1/logs "), "{head}");
    fs::write(home.path("body"), body).unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let mut reader = Command::new(python);
    let read = reader.args(["-c", COLLECTOR]).stdin(fs::File::open(home.path("body")).unwrap()).output().unwrap();
    assert!(read.status.success(), "{read:?}");
    assert_eq!(String::from_utf8(read.stdout).unwrap().trim(), "13 warning bot");
}

#[test]
fn events_are_a_stream_of_json_lines_that_goes_on_as_it_happens() {
    let home = Home::new();
    home.up("bot", &["--target", "exit"], "exit 0");
    home.reaches("bot", "completed");
    let mut command = home.command(&["events", "-f", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel::<Value>();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            drop(tell.send(serde_json::from_str(&line).expect("each line is JSON")));
        }
    });
    let mut seen: Vec<Value> = Vec::new();
    let mut wait = |process: &str, kind: &str, run: u64| {
        let is = |event: &Value| event["process"] == process && event["kind"] == kind && event["run"] == run;
        while !seen.iter().any(is) {
            seen.push(
                told.recv_timeout(Duration::from_secs(100)).unwrap_or_else(|_| panic!("{process} {kind}: {seen:#?}")),
            );
        }
    };
    wait("bot", "completed", 1);
    home.ok(&["start", "bot"]);
    wait("bot", "completed", 2);
    home.up("late", &["--target", "exit"], "exit 4");
    wait("late", "failed", 1);
    let ids: Vec<&str> = seen.iter().map(|event| event["id"].as_str().unwrap()).collect();
    let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "each once: {ids:?}");
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGKILL);
    drop(child.wait());
}
