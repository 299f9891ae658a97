//! What shows that a process is ready.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{UnitError, format_duration, parse_duration};

/// The forms, in words.
pub const FORMS: &str =
    "`notify`, `output:REGEX`, `tcp:[HOST:]PORT`, `http:URL[ STATUS]`, `file:PATH`, `cmd:LINE` or `delay:DURATION`";

/// The forms of a probe that can be asked again and again.
pub const LIVENESS_FORMS: &str =
    "`tcp:[HOST:]PORT`, `http:URL[ STATUS]`, `file:PATH` (it is there) or `cmd:LINE` (it succeeds)";

/// One question to a process, or about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// It says so itself (`READY=1`, sd_notify).
    Notify,
    /// A line of its output matches this regular expression.
    Output(String),
    /// Somebody listens there.
    Tcp {
        /// Name or address.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A GET of this URL is answered.
    Http {
        /// With its scheme.
        url: String,
        /// The status wanted; `None`: any from 200 to 399.
        status: Option<u16>,
    },
    /// This file is there. Absolute.
    File(String),
    /// This line for the shell succeeds.
    Command(String),
    /// It has run for this long.
    Delay(Duration),
}

impl FromStr for Probe {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = |why: &str| UnitError { what: format!("{text:?} {why}"), hint: format!("write {FORMS}") };
        if text == "notify" {
            return Ok(Self::Notify);
        }
        let (kind, rest) = text.split_once(':').ok_or_else(|| fail("is of no known kind"))?;
        if rest.trim().is_empty() {
            return Err(fail("says nothing after the colon"));
        }
        match kind {
            "output" => match regex_lite::Regex::new(rest) {
                Ok(_) => Ok(Self::Output(rest.to_owned())),
                Err(error) => Err(fail(&format!("is no regular expression: {error}"))),
            },
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').unwrap_or(("127.0.0.1", rest));
                let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| fail("has no port"))?;
                Ok(Self::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port })
            }
            // `http:URL`, and a URL by itself.
            "http" | "https" => {
                let rest = if rest.starts_with("//") { text } else { rest };
                let (url, status) = match rest.split_once(' ') {
                    Some((url, status)) => {
                        let status = status.trim().parse().ok().filter(|status| (100..600).contains(status));
                        (url, Some(status.ok_or_else(|| fail("ends with something that is no status"))?))
                    }
                    None => (rest, None),
                };
                if !url.starts_with("http://") && !url.starts_with("https://") {
                    return Err(fail("has no URL"));
                }
                Ok(Self::Http { url: url.to_owned(), status })
            }
            "file" if rest.starts_with('/') => Ok(Self::File(rest.to_owned())),
            "file" => Err(fail("names a path that is not absolute")),
            "cmd" => Ok(Self::Command(rest.to_owned())),
            "delay" => parse_duration(rest).map(Self::Delay),
            _ => Err(fail("is of no known kind")),
        }
    }
}

impl Probe {
    /// Reads a probe that shows, each time it is asked, whether a process is alive now.
    ///
    /// # Errors
    /// The text is no probe, or one whose answer never changes again.
    pub fn liveness(text: &str) -> Result<Self, UnitError> {
        let probe: Self =
            text.parse().map_err(|error: UnitError| UnitError { hint: format!("write {LIVENESS_FORMS}"), ..error })?;
        let (why, instead) = match probe {
            Self::Tcp { .. } | Self::Http { .. } | Self::File(_) | Self::Command(_) => return Ok(probe),
            Self::Notify => {
                ("is said once and says nothing of now", "`watchdog = \"30s\"` wants `WATCHDOG=1` that often")
            }
            Self::Output(_) => (
                "stays true once the line is written",
                "`output_stale = \"5m\"` wants output that often, `cmd:LINE` can look at what it says",
            ),
            Self::Delay(_) => ("is true whatever the process does", "`probe_every` sets how often it is asked"),
        };
        Err(UnitError { what: format!("{text:?} {why}"), hint: format!("{instead}; else write {LIVENESS_FORMS}") })
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notify => f.write_str("notify"),
            Self::Output(regex) => write!(f, "output:{regex}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } if host == "127.0.0.1" => write!(f, "tcp:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Http { url, status: Some(status) } => write!(f, "http:{url} {status}"),
            Self::Http { url, status: None } => write!(f, "http:{url}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Command(line) => write!(f, "cmd:{line}"),
            Self::Delay(delay) => write!(f, "delay:{}", format_duration(*delay)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_and_written_back_as_it_was() {
        for text in [
            "notify",
            "output:listening on [0-9]+",
            "tcp:8080",
            "tcp:db:5432",
            "tcp:[::1]:80",
            "http:http://127.0.0.1:8080/health",
            "http:https://x/y 204",
            "file:/run/x",
            "cmd:test -e x && true",
            "delay:5s",
        ] {
            let read: Result<Probe, _> = text.parse();
            assert_eq!(read.map(|probe| probe.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("http://x/y".parse(), Ok(Probe::Http { url: "http://x/y".to_owned(), status: None }));
    }

    #[test]
    fn only_what_can_be_asked_again_and_again_shows_that_a_process_is_alive() {
        for good in ["tcp:80", "http://127.0.0.1/x 204", "file:/run/x", "cmd:true"] {
            assert!(Probe::liveness(good).is_ok(), "{good}");
        }
        for (bad, instead) in [("notify", "watchdog"), ("output:x", "output_stale"), ("delay:5s", "probe_every")] {
            assert!(Probe::liveness(bad).unwrap_err().hint.contains(instead), "{bad}");
        }
        assert!(Probe::liveness("nonsense").unwrap_err().hint.contains("tcp:"));
    }

    #[test]
    fn what_is_no_probe_is_refused_with_the_kinds_there_are() {
        for bad in [
            "",
            "notify:x",
            "tcp:",
            "tcp:0",
            "tcp:99999",
            "http:x",
            "http:http://x 99",
            "file:x",
            "output:(",
            "x:y",
            "delay:5",
        ] {
            let error = bad.parse::<Probe>().unwrap_err();
            assert!(!error.hint.is_empty(), "{bad}");
        }
    }
}
