//! Processes as jobs of Nomad, with its driver `raw_exec`: no image is needed.

use super::export::{
    Again, Can, Form, Leaving, Place, Written, again, command, of_user, open_variables, unnamed, user, whole_seconds,
};
use crate::model::signal::Signal;
use crate::model::spec::Spec;

/// Seconds that `guardian exec` needs beyond the grace of the process: the KILL, the certificate, the alerts.
const BEYOND: u64 = 30;

const CAN: Can = Can {
    system: "Nomad",
    says: &[
        "cwd",
        "env_file",
        "stop_signal",
        "grace",
        "backoff",
        "backoff_max",
        "max_restarts",
        "window",
        "schedule",
        "timezone",
        "never_restart",
    ],
    passes: false,
};

/// One job for each process.
#[must_use]
pub fn write(leaving: &[Leaving<'_>], place: &Place<'_>) -> Vec<Written> {
    let one =
        |process: &Leaving<'_>| Written { name: format!("{}.nomad.hcl", process.name), text: job(process, place) };
    leaving.iter().map(one).collect()
}

fn job(process: &Leaving<'_>, place: &Place<'_>) -> String {
    let (spec, mut form) = (process.spec, Form::of(process, &CAN, place));
    let usual = crate::model::never::Never::USUAL;
    if !spec.never_restart.is_empty() && spec.never_restart != usual {
        let ends: Vec<String> = spec.never_restart.iter().map(ToString::to_string).collect();
        form.gaps.push(format!("never_restart = [{}]", ends.join(", ")));
    }
    if spec.cwd.is_some() && !form.wrapped && spec.cwd.as_deref() != Some("/") {
        // A task runs in its own directory; only a shell can change it.
        form.gaps.push(format!("cwd = {:?}", spec.cwd.as_deref().unwrap_or("")));
    }
    form.gaps.extend(unnamed(spec));
    form.wrapped |= !form.gaps.is_empty();
    let kind = if again(spec) == Again::Always && spec.schedule.is_none() { "service" } else { "batch" };
    let mut text = format!("# Made by `guardian export nomad {}`.\n{}", process.name, form.comment(process, &CAN, "#"));
    let name = quoted(process.name.as_str());
    text.push_str(&format!("job {name} {{\n  datacenters = [\"*\"]\n  type        = \"{kind}\"\n\n"));
    if let Some(line) = &spec.schedule {
        let zone = spec.zone.name().unwrap_or("UTC");
        text.push_str(&format!(
            "  periodic {{\n    crons            = [{}]\n    time_zone        = {}\n    prohibit_overlap = true\n  }}\n\n",
            quoted(line),
            quoted(zone)
        ));
    }
    text.push_str(&format!(
        "  group {name} {{\n    count = 1\n\n{}    task {name} {{\n{}    }}\n  }}\n}}\n",
        restart(spec),
        task(process, &form, place)
    ));
    text
}

fn restart(spec: &Spec) -> String {
    let delay = whole_seconds(spec.backoff).max(1);
    // Without a limit it goes on for ever, in rounds; Nomad wants room in each for all its tries.
    let (attempts, window, mode) = match (again(spec), spec.max_restarts) {
        (Again::No, _) => (0, 600, "fail"),
        (Again::Always | Again::OnFailure, 0) => (10, 600.max(delay * 20), "delay"),
        (Again::Always | Again::OnFailure, most) => {
            (most, whole_seconds(spec.window).max(delay * (u64::from(most) + 1)), "fail")
        }
    };
    format!(
        "    restart {{\n      attempts = {attempts}\n      delay    = \"{delay}s\"\n      interval = \"{window}s\"\n      mode     = \"{mode}\"\n    }}\n\n"
    )
}

fn task(process: &Leaving<'_>, form: &Form, place: &Place<'_>) -> String {
    let spec = process.spec;
    let mut text = String::new();
    let mut say = |line: String| text.push_str(&format!("      {line}\n"));
    let words = command(process, form, place.exe);
    let (program, arguments) = words.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    let arguments: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    say("driver = \"raw_exec\"".to_owned());
    user(process, form, place).iter().for_each(|user| say(format!("user   = {}", quoted(user))));
    say(format!(
        "config {{\n        command = {}\n        args    = [{}]\n      }}",
        quoted(program),
        arguments.join(", ")
    ));
    let beyond = if form.wrapped { BEYOND } else { 0 };
    let signal = if form.wrapped { "SIGTERM".to_owned() } else { Signal(spec.stop_signal).to_string() };
    say(format!("kill_signal  = \"{signal}\""));
    say(format!("kill_timeout = \"{}s\"", whole_seconds(spec.grace) + beyond));
    let mut variables: Vec<(&str, &str)> = of_user(spec, place);
    if form.wrapped {
        variables.extend(place.home.map(|home| ("GUARDIAN_HOME", home)));
    } else {
        variables.extend(open_variables(spec).map(|(name, value)| (name.as_str(), value.as_str())));
    }
    if !variables.is_empty() {
        let lines: Vec<String> =
            variables.iter().map(|(name, value)| format!("        {name} = {}\n", quoted(value))).collect();
        say(format!("env {{\n{}      }}", lines.concat()));
    }
    if let Some(file) = spec.env_file.as_ref().filter(|_| !form.wrapped) {
        say(format!(
            "template {{\n        source      = {}\n        destination = \"secrets/env\"\n        env         = true\n      }}",
            quoted(file)
        ));
    }
    text
}

/// A text in HCL, where `${` and `%{` begin a template.
fn quoted(text: &str) -> String {
    super::export::quoted(text).replace("${", "$${").replace("%{", "%%{")
}
