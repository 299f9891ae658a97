//! The files that make systemd or launchd run passes: the templates of `systemd/` and `launchd/`, filled in.

use std::time::Duration;

use crate::error::{Code, Error};
use crate::model::units::format_duration;

/// Service and timer of a user's manager, and those of the system's.
const UNITS: [[&str; 2]; 2] = [
    [include_str!("../../systemd/guardian.service"), include_str!("../../systemd/guardian.timer")],
    [include_str!("../../systemd/system/guardian.service"), include_str!("../../systemd/system/guardian.timer")],
];
const AGENT: &str = include_str!("../../launchd/dev.guardian.healthcheck.plist");

/// The service that is one pass.
pub const SERVICE_NAME: &str = "guardian.service";
/// The timer that is enabled.
pub const TIMER_NAME: &str = "guardian.timer";
/// The label that launchd knows the agent by.
pub const AGENT_LABEL: &str = "dev.guardian.healthcheck";

/// Which manager runs a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// That of the user.
    User,
    /// That of the machine.
    System,
}

impl Manager {
    /// The option of `systemctl` that means it.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::User => "--user",
            Self::System => "--system",
        }
    }
}

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub struct Trigger<'a> {
    /// The guardian executable.
    pub exe: &'a str,
    /// Which guardian home it serves, as [`belongs_to`] finds it again.
    pub home: &'a str,
    /// Environment of the pass.
    pub variables: &'a [(&'a str, &'a str)],
    /// Time between two passes; whole seconds.
    pub every: Duration,
}

impl Trigger<'_> {
    /// Service and timer for systemd, with their file names.
    ///
    /// # Errors
    /// A path with a control character.
    pub fn systemd(&self, manager: Manager) -> Result<[(&'static str, String); 2], Error> {
        self.check()?;
        let assignment =
            |(name, value): &(&str, &str)| format!("Environment={}", unit_word(&format!("{name}={value}")));
        let environment: Vec<String> = self.variables.iter().map(assignment).collect();
        let values = [
            ("EVERY", format_duration(self.every)),
            ("SCHEDULE", schedule(self.every)),
            ("ENVIRONMENT", environment.join("\n")),
            ("EXE", unit_word(self.exe)),
            ("HOME", self.home.to_owned()),
        ];
        let [service, timer] = UNITS[usize::from(manager == Manager::System)];
        Ok([(SERVICE_NAME, filled(service, &values)), (TIMER_NAME, filled(timer, &values))])
    }

    /// The property list for a user's launchd, with its file name.
    ///
    /// # Errors
    /// A path with a control character.
    pub fn launchd(&self) -> Result<[(&'static str, String); 1], Error> {
        self.check()?;
        let pair = |(name, value): &(&str, &str)| format!("    <key>{name}</key>\n    <string>{}</string>", xml(value));
        let environment: Vec<String> = self.variables.iter().map(pair).collect();
        let values = [
            ("SECONDS", self.every.as_secs().to_string()),
            ("ENVIRONMENT", environment.join("\n")),
            ("EXE", xml(self.exe)),
            ("HOME", comment(self.home)),
        ];
        Ok([("dev.guardian.healthcheck.plist", filled(AGENT, &values))])
    }

    fn check(&self) -> Result<(), Error> {
        let mut texts = [self.exe, self.home].into_iter().chain(self.variables.iter().map(|(_, value)| *value));
        match texts.find(|text| text.contains(|letter: char| letter.is_control())) {
            Some(text) => {
                let message = format!("{text:?} has a control character, which such a file cannot hold");
                Err(Error::new(Code::Usage, "bad_path", message).hint("use another path"))
            }
            None => Ok(()),
        }
    }
}

/// `template` with each value in place of its name between two `@`. What a value holds is never taken for a name.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let named = values.iter().find_map(|(name, value)| Some((after.strip_prefix(name)?.strip_prefix('@')?, value)));
        match named {
            Some((after, value)) => {
                text.push_str(value);
                rest = after;
            }
            None => {
                text.push('@');
                rest = after;
            }
        }
    }
    text + rest
}

/// When passes run. By the calendar where it can say it: then one that fell into a suspend or a time without power is made up for
/// at once (`Persistent=`), while a timer counts only the time that the machine was awake.
fn schedule(every: Duration) -> String {
    let seconds = every.as_secs();
    let calendar = match (seconds, seconds / 60, seconds / 3600) {
        (1..60, _, _) if 60_u64.is_multiple_of(seconds) => format!("*:*:0/{seconds}"),
        (60..3600, minutes, _) if seconds.is_multiple_of(60) && 60_u64.is_multiple_of(minutes) => {
            format!("*:0/{minutes}")
        }
        (3600..86400, _, hours) if seconds.is_multiple_of(3600) && 24_u64.is_multiple_of(hours) => {
            format!("0/{hours}:00")
        }
        (86400, _, _) => "daily".to_owned(),
        _ => return format!("OnUnitActiveSec={}", format_duration(every)),
    };
    format!("OnCalendar={calendar}\nPersistent=true")
}

/// Whether a file with this text was written for this guardian home.
#[must_use]
pub fn belongs_to(text: &str, home: &str) -> bool {
    let mark = [format!("# guardian home: {home}"), format!("<!-- guardian home: {} -->", comment(home))];
    text.lines().any(|line| mark.iter().any(|mark| line == mark))
}

/// A word of a unit file: quoted, with specifiers (`%`) switched off.
fn unit_word(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A comment of XML must not hold two hyphens.
fn comment(text: &str) -> String {
    xml(text).replace("--", "-&#45;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIGGER: Trigger<'_> = Trigger {
        exe: "/opt/my apps/100%/guardian",
        home: "/home/a & b--c",
        variables: &[("PATH", "/bin"), ("GUARDIAN_HOME", "/home/a & b--c")],
        every: Duration::from_secs(300),
    };

    #[test]
    fn units_quote_what_systemd_would_read_otherwise_and_leave_no_blank() {
        let [(_, service), (_, timer)] = TRIGGER.systemd(Manager::User).unwrap();
        assert!(service.contains("ExecStart=\"/opt/my apps/100%%/guardian\" healthcheck --quiet\n"), "{service}");
        assert!(service.contains("Environment=\"PATH=/bin\"\nEnvironment=\"GUARDIAN_HOME=/home/a & b--c\"\n"));
        assert!(service.contains("\nKillMode=process\n"));
        assert!(timer.contains("\nOnStartupSec=5s\nOnCalendar=*:0/5\nPersistent=true\n"), "{timer}");
        assert!(!timer.contains('@') && belongs_to(&service, TRIGGER.home) && belongs_to(&timer, TRIGGER.home));
        assert!(!belongs_to(&service, "/home/a"));
    }

    #[test]
    fn passes_are_at_times_of_the_day_where_those_divide_it() {
        let cases = [
            (10, "OnCalendar=*:*:0/10\nPersistent=true"),
            (45, "OnUnitActiveSec=45s"),
            (60, "OnCalendar=*:0/1\nPersistent=true"),
            (90, "OnUnitActiveSec=1m30s"),
            (7 * 60, "OnUnitActiveSec=7m"),
            (3600, "OnCalendar=0/1:00\nPersistent=true"),
            (6 * 3600, "OnCalendar=0/6:00\nPersistent=true"),
            (86_400, "OnCalendar=daily\nPersistent=true"),
            (172_800, "OnUnitActiveSec=2d"),
        ];
        for (seconds, want) in cases {
            assert_eq!(schedule(Duration::from_secs(seconds)), want, "{seconds}");
        }
        let [(_, service), (_, timer)] = TRIGGER.systemd(Manager::System).unwrap();
        assert!(timer.contains("\nOnBootSec=5s\n") && !timer.contains("OnStartupSec"), "{timer}");
        assert!(service.contains("\nKillMode=process\n") && service.contains("/etc/systemd/system"), "{service}");
    }

    #[test]
    fn the_property_list_is_xml_that_abandons_its_group() {
        let [(_, agent)] = TRIGGER.launchd().unwrap();
        assert!(agent.contains("<string>/home/a &amp; b--c</string>"), "{agent}");
        assert!(agent.contains("<key>StartInterval</key>\n  <integer>300</integer>"));
        assert!(agent.contains("<key>AbandonProcessGroup</key>\n  <true/>"));
        for line in agent.lines().filter_map(|line| line.trim().strip_prefix("<!--")) {
            assert!(!line.strip_suffix("-->").unwrap().contains("--"), "{line}");
        }
        assert!(belongs_to(&agent, TRIGGER.home));
    }

    #[test]
    fn a_path_that_looks_like_a_name_of_the_template_stays_what_it_is() {
        let home = "/srv/@EXE@ @HOME@@";
        let odd = Trigger { home, variables: &[("GUARDIAN_HOME", home)], ..TRIGGER };
        let [(_, service), _] = odd.systemd(Manager::User).unwrap();
        assert!(service.contains(&format!("Environment=\"GUARDIAN_HOME={home}\"\n")), "{service}");
        let [(_, agent)] = odd.launchd().unwrap();
        assert!(agent.contains(&format!("<string>{home}</string>")) && belongs_to(&agent, home), "{agent}");
    }

    #[test]
    fn control_characters_are_refused() {
        let odd = Trigger { home: "/a\nExecStart=/bin/evil", ..TRIGGER };
        assert!(odd.systemd(Manager::User).is_err() && odd.launchd().is_err());
    }
}
