//! Processes as programs of supervisord, one file for all.

use super::export::{
    Again, Can, Form, Leaving, Place, Written, again, command, of_user, open_variables, referenced, user, whole_seconds,
};
use crate::model::signal::Signal;
use crate::model::spec::{OnBoot, Spec, Target};

/// Seconds that `guardian exec` needs beyond the grace of the process: the KILL, the certificate, the alerts.
const BEYOND: u64 = 30;

const CAN: Can = Can {
    system: "supervisord",
    says: &[
        "cwd",
        "pass_env",
        "stop_signal",
        "grace",
        "success_codes",
        "max_failures",
        "healthy_after",
        "on_boot",
        "never_restart",
    ],
    passes: true,
};

/// One file with a section for each process.
#[must_use]
pub fn write(leaving: &[Leaving<'_>], place: &Place<'_>) -> Vec<Written> {
    let mut text = "; Made by `guardian export supervisord`.\n".to_owned();
    for process in leaving {
        let mut form = Form::of(process, &CAN, place);
        // It knows no ends after which a restart would be in vain; the usual ones are no reason to wrap.
        let usual = crate::model::never::Never::USUAL;
        if !process.spec.never_restart.is_empty() && process.spec.never_restart != usual {
            let ends: Vec<String> = process.spec.never_restart.iter().map(ToString::to_string).collect();
            form.gaps.push(format!("never_restart = [{}]", ends.join(", ")));
        }
        unsaid(process.spec, &mut form.gaps);
        form.wrapped |= !form.gaps.is_empty();
        text.push_str(&format!("\n{}", form.comment(process, &CAN, ";")));
        // Not as `%(ENV_X)s`: a quote in a value would end it.
        for name in referenced(process.spec).into_iter().filter(|_| !form.wrapped) {
            text.push_str(&format!("; {name} is what supervisord has in its own environment.\n"));
        }
        text.push_str(&program(process, &form, place));
    }
    vec![Written { name: "guardian.conf".to_owned(), text }]
}

fn program(process: &Leaving<'_>, form: &Form, place: &Place<'_>) -> String {
    let spec = process.spec;
    let mut lines = vec![format!("[program:{}]\n", process.name)];
    let mut say = |key: &str, value: String| lines.push(format!("{key}={value}\n"));
    say("command", words(&command(process, form, place.exe)));
    say("autostart", (spec.on_boot != OnBoot::Never).to_string());
    let restart = match again(spec) {
        Again::Always => "true",
        Again::OnFailure => "unexpected",
        Again::No => "false",
    };
    say("autorestart", restart.to_owned());
    user(process, form, place).into_iter().for_each(|user| say("user", user));
    let own = of_user(spec, place).into_iter().map(|(name, value)| pair(name, &filled(value)));
    if form.wrapped {
        let home = place.home.map(|home| pair("GUARDIAN_HOME", &filled(home)));
        let variables: Vec<String> = own.chain(home).collect();
        if !variables.is_empty() {
            say("environment", variables.join(","));
        }
        say("exitcodes", codes(spec));
        // A stop of supervisord's: guardian ends the process as it was told to.
        say("stopsignal", "TERM".to_owned());
        say("stopwaitsecs", (whole_seconds(spec.grace) + BEYOND).to_string());
        say("startsecs", "0".to_owned());
        return lines.concat();
    }
    let usual = Spec::with_command(spec.command.clone()).healthy_after;
    spec.cwd.iter().for_each(|cwd| say("directory", filled(cwd)));
    let variables = own.chain(open_variables(spec).map(|(name, value)| pair(name, &filled(value))));
    let variables: Vec<String> = variables.collect();
    if !variables.is_empty() {
        say("environment", variables.join(","));
    }
    say("exitcodes", codes(spec));
    // Whatever ends sooner did not start, for supervisord, and would be tried again: a job may end as soon as it likes.
    match spec.target {
        Target::Exit => say("startsecs", "0".to_owned()),
        Target::Forever | Target::For(_) if spec.healthy_after != usual => {
            say("startsecs", whole_seconds(spec.healthy_after).to_string());
        }
        Target::Forever | Target::For(_) => {}
    }
    say("startretries", spec.max_failures.saturating_sub(1).to_string());
    let signal = Signal(spec.stop_signal).to_string();
    say("stopsignal", signal.trim_start_matches("SIG").to_owned());
    say("stopwaitsecs", whole_seconds(spec.grace).to_string());
    say("stopasgroup", "true".to_owned());
    say("killasgroup", "true".to_owned());
    say("redirect_stderr", "true".to_owned());
    lines.concat()
}

/// Texts that a line there cannot hold: it ends at a line break and at a comment, whatever quotes are around, and a value can
/// neither have both kinds of quotes nor begin or end with one.
fn unsaid(spec: &Spec, gaps: &mut Vec<String>) {
    let breaks = |text: &str| text.contains(char::is_control);
    let ends = |text: &str| breaks(text) || [" ;", " #"].iter().any(|comment| text.contains(comment));
    if spec.command.argv().iter().any(|word| breaks(word)) {
        gaps.push("a command with a line break".to_owned());
    }
    gaps.extend(spec.cwd.as_ref().filter(|cwd| ends(cwd)).map(|cwd| format!("cwd = {cwd:?}")));
    let both = |value: &str| value.contains('"') && value.contains('\'');
    let quotes = |value: &str| both(value) || value.starts_with(['"', '\'']) || value.ends_with(['"', '\'']);
    let unsaid = open_variables(spec).filter(|(_, value)| ends(value) || quotes(value));
    gaps.extend(unsaid.map(|(name, value)| format!("env {name} = {value:?}")));
}

fn codes(spec: &Spec) -> String {
    spec.success_codes.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// `%` as itself.
fn filled(text: &str) -> String {
    text.replace('%', "%%")
}

/// `NAME="value"`, in the quotes that the value does not have.
fn pair(name: &str, value: &str) -> String {
    let quote = if value.contains('"') { '\'' } else { '"' };
    format!("{name}={quote}{value}{quote}")
}

/// A command line as Python's `shlex` splits it. A `;` after a blank would begin a comment, so it stands in quotes with none before it.
fn words(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:,+@".contains(letter);
        if !word.is_empty() && word.chars().all(plain) {
            return word.clone();
        }
        // A comment begins with a blank before it, in quotes as well.
        let word = word.replace('\'', "'\"'\"'").replace(" ;", " '\"\"';").replace(" #", " '\"\"'#");
        filled(&format!("'{word}'"))
    });
    quoted.collect::<Vec<_>>().join(" ")
}
