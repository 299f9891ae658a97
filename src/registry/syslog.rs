//! Reads a `syslog` sink: where the daemon listens, and as which kind of program guardian speaks.

use super::sink::Fields;
use super::sink_keys::FACILITIES;
use crate::model::channel::{Syslog, SyslogAddress};

impl Fields<'_, '_, '_, '_> {
    /// The sink; on `None` the reader knows why.
    pub(super) fn syslog(&mut self) -> Option<Syslog> {
        let facility = self.word("facility", FACILITIES).map_or(DAEMON, number);
        Some(Syslog { to: self.syslog_address()?, facility })
    }

    fn syslog_address(&mut self) -> Option<SyslogAddress> {
        let Some(item) = self.table.get("address") else { return Some(SyslogAddress::Socket("/dev/log".to_owned())) };
        let text = self.reader.text("address", item)?;
        let address = match text.split_once("://") {
            Some(("udp", to)) => with_port(to, 514).map(SyslogAddress::Udp),
            Some(("tcp", to)) => with_port(to, 601).map(SyslogAddress::Tcp),
            Some(_) => None,
            None => text.starts_with('/').then(|| SyslogAddress::Socket(text.clone())),
        };
        address.or_else(|| {
            let hint = "write the path of a socket such as `/dev/log`, `udp://HOST:514` or `tcp://HOST:601`";
            self.reader.fail(item.span(), format!("`address` cannot be {text:?}"), hint)
        })
    }
}

/// Number of the facility `daemon`.
const DAEMON: u8 = 3;

/// The number of one of [`FACILITIES`], by RFC 5424.
fn number(word: &str) -> u8 {
    match word {
        "user" => 1,
        "cron" => 9,
        word => word.strip_prefix("local").and_then(|nth| nth.parse::<u8>().ok()).map_or(DAEMON, |nth| 16 + nth),
    }
}

/// `host:port` of what may be without its port. `[::1]:514` is one of IPv6.
fn with_port(to: &str, port: u16) -> Option<String> {
    let blank = to.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
    let (host, given) = match to.rsplit_once(':') {
        Some((host, given)) if !given.ends_with(']') => (host, given.parse::<u16>().ok().filter(|port| *port > 0)?),
        Some(_) | None => (to, port),
    };
    let whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    (!blank && !host.is_empty() && whole).then(|| format!("{host}:{given}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_facility_has_its_number() {
        let numbers: Vec<u8> = FACILITIES.iter().map(|word| number(word)).collect();
        assert_eq!(numbers, [1, 3, 9, 16, 17, 18, 19, 20, 21, 22, 23]);
    }

    #[test]
    fn a_port_may_be_left_out_and_what_is_no_address_is_none() {
        let cases = [
            ("logs.example.org", Some("logs.example.org:514")),
            ("logs:1514", Some("logs:1514")),
            ("[::1]", Some("[::1]:514")),
            ("[::1]:99", Some("[::1]:99")),
            ("::1", None),
            ("", None),
            (":514", None),
            ("logs:0", None),
            ("logs:port", None),
            ("logs/path", None),
            ("a b", None),
        ];
        for (text, want) in cases {
            assert_eq!(with_port(text, 514).as_deref(), want, "{text}");
        }
    }
}
