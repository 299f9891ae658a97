//! Syslog on the wire: the local socket, datagrams and connections, and daemons that are not there or do not read.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use super::super::fake::message;
use super::*;

const PATIENT: Duration = Duration::from_secs(20);

fn sink(to: SyslogAddress) -> Syslog {
    Syslog { to, facility: 3 }
}

fn delivered(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
}

#[test]
fn the_local_daemon_gets_what_syslog_sends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let to = SyslogAddress::Socket(path.to_str().unwrap().to_owned());
    delivered(&send(&sink(to), &message(), PATIENT));
    let mut buffer = [0; 4096];
    let count = daemon.recv(&mut buffer).unwrap();
    let line = std::str::from_utf8(&buffer[..count]).unwrap();
    let level = 24 + u16::from(priority(&message()));
    let rest = line.strip_prefix(&format!("<{level}>")).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(rest[15..].split(' ').nth(1), Some("guardian:"), "{line}");
    assert!(rest[..3].chars().all(char::is_alphabetic) && rest.as_bytes()[9] == b':', "Mmm dd hh:mm:ss in {line}");
    assert!(line.ends_with(&format!("[{}]", message().id)) && !line.contains('\n'), "{line}");
}

#[test]
fn over_the_network_it_is_rfc_5424_in_a_datagram_or_with_its_length() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut message = message();
    message.event.group = Some("a]\"b\\".to_owned());
    let to = SyslogAddress::Udp(daemon.local_addr().unwrap().to_string());
    delivered(&send(&sink(to), &message, PATIENT));
    let mut buffer = [0; 4096];
    let count = daemon.recv(&mut buffer).unwrap();
    let line = String::from_utf8(buffer[..count].to_vec()).unwrap();
    let words: Vec<&str> = line.splitn(7, ' ').collect();
    let (at, kind) = (message.at.to_string(), message.event.kind.word());
    assert!(words[0].starts_with('<') && words[0].ends_with(">1"), "{line}");
    assert_eq!(
        (words[1], words[2], words[3], words[5]),
        (at.as_str(), message.host.as_str(), "guardian", kind),
        "{line}"
    );
    assert!(words[6].starts_with("[guardian@32473 id=\"") && words[6].contains("] \u{feff}"), "{line}");
    assert!(words[6].contains("group=\"a\\]\\\"b\\\\\""), "{line}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SyslogAddress::Tcp(listener.local_addr().unwrap().to_string());
    let served = thread::spawn(move || {
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        got
    });
    delivered(&send(&sink(to), &message, PATIENT));
    assert_eq!(served.join().unwrap(), format!("{} {line}", line.len()), "the same, with its length");
}

#[test]
fn a_daemon_that_is_not_there_is_tried_again_and_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for to in [SyslogAddress::Socket("/nonexistent/log".to_owned()), SyslogAddress::Tcp(port.to_string())] {
        let name = to.to_string();
        let outcome = send(&sink(to), &message(), PATIENT);
        assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.contains(&name)), "{outcome:?}");
    }
}

#[test]
fn a_daemon_that_does_not_read_is_left_when_the_time_is_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let _daemon = UnixDatagram::bind(&path).unwrap();
    let sink = sink(SyslogAddress::Socket(path.to_str().unwrap().to_owned()));
    let full = (0..10_000)
        .map(|_| send(&sink, &message(), Duration::from_millis(50)))
        .find(|outcome| matches!(outcome, Outcome::Failed { .. }));
    assert!(full.is_some(), "its queue has an end");
}
