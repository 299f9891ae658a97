//! The `syslog` sink: one line for each message, to the daemon of this machine or over the network.
//!
//! The local socket gets what `syslog(3)` sends, which every daemon reads there; the network gets RFC 5424, in a datagram
//! (RFC 5426) or with its length before it (RFC 6587). No server of syslog confirms anything: sent is delivered. The line is the
//! same at each try, and has the id of the message.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use chrono::{DateTime, Local};

use super::Message;
use crate::model::channel::{Syslog, SyslogAddress};
use crate::model::delivery::Outcome;
use crate::model::event::Severity;

/// Longest parts of a header, by RFC 5424.
const HOST: usize = 255;
/// What its structured data is called: the number is the one that is kept free for whoever has none.
const DATA: &str = "guardian@32473";

/// Sends the message.
pub(super) fn send(sink: &Syslog, message: &Message, limit: Duration) -> Outcome {
    let sent = match &sink.to {
        SyslogAddress::Socket(path) => local(path, &traditional(message, sink.facility), limit),
        SyslogAddress::Udp(to) => udp(to, &modern(message, sink.facility), limit),
        SyslogAddress::Tcp(to) => tcp(to, &modern(message, sink.facility), limit),
    };
    match sent {
        Ok(()) => Outcome::delivered(format!("sent to {}", sink.to)),
        Err(error) => Outcome::failed(format!("cannot send to {}: {error}", sink.to)),
    }
}

/// How much it matters to syslog: what is over is worth a notice.
pub(super) fn priority(message: &Message) -> u8 {
    match message.event.severity {
        _ if message.event.ends_an_incident() => 5,
        Severity::Critical => 2,
        Severity::Warning => 4,
        Severity::Info => 6,
    }
}

/// The line itself: the subject, less the name that stands before it anyway.
pub(super) fn headline(message: &Message) -> &str {
    let subject = message.rendered.subject.as_str();
    subject.strip_prefix("[guardian] ").unwrap_or(subject)
}

fn text(message: &Message) -> String {
    format!("{} [{}]", headline(message), message.id)
}

/// `<30>Nov 20 20:00:00 guardian: …`, in local time.
fn traditional(message: &Message, facility: u8) -> String {
    let at = DateTime::from_timestamp_millis(message.at.0)
        .map(|at| at.with_timezone(&Local).format("%b %e %T ").to_string());
    let level = u16::from(facility) * 8 + u16::from(priority(message));
    format!("<{level}>{}guardian: {}", at.unwrap_or_default(), text(message))
}

/// `<30>1 2026-11-20T20:00:00.000Z host guardian PID KIND [data] text`.
fn modern(message: &Message, facility: u8) -> String {
    let event = &message.event;
    let level = u16::from(facility) * 8 + u16::from(priority(message));
    let at = message.at.rfc3339().unwrap_or_else(|| "-".to_owned());
    let host: String = message.host.chars().filter(char::is_ascii_graphic).take(HOST).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let pid = event.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let run = event.run.map(|run| run.to_string());
    let known = [
        ("id", Some(message.id.as_str())),
        ("process", Some(event.process.as_str())),
        ("run", run.as_deref()),
        ("group", event.group.as_deref()),
        ("severity", Some(event.severity.word())),
        ("cause", event.cause.as_ref().map(|cause| cause.kind())),
        ("verdict", event.verdict.map(|verdict| verdict.word())),
    ];
    let data: String =
        known.iter().filter_map(|(name, value)| Some(format!(" {name}=\"{}\"", escape((*value)?)))).collect();
    // The mark before the text says that it is UTF-8.
    format!("<{level}>1 {at} {host} guardian {pid} {} [{DATA}{data}] \u{feff}{}", event.kind.word(), text(message))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

fn local(path: &str, line: &str, limit: Duration) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(limit))?;
    socket.send_to(line.as_bytes(), path).map(drop)
}

fn udp(to: &str, line: &str, limit: Duration) -> io::Result<()> {
    let to = resolved(to)?;
    let any = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_write_timeout(Some(limit))?;
    socket.send_to(line.as_bytes(), to).map(drop)
}

fn tcp(to: &str, line: &str, limit: Duration) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&resolved(to)?, limit)?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(format!("{} {line}", line.len()).as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

fn resolved(to: &str) -> io::Result<std::net::SocketAddr> {
    to.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("its host has no address"))
}

#[cfg(test)]
#[path = "syslog_tests.rs"]
mod tests;
