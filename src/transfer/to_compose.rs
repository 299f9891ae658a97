//! Processes as services of Compose, one file for all.

use super::export::{
    Again, Can, Form, Leaving, Place, Written, again, command, dns, dollars, list, open_variables, quoted, referenced,
    table, user, whole_seconds,
};
use crate::model::probe::Probe;
use crate::model::signal::Signal;

/// Seconds that `guardian exec` needs beyond the grace of the process: the KILL, the certificate, the alerts.
const BEYOND: u64 = 30;

const CAN: Can = Can {
    system: "Compose",
    says: &[
        "cwd",
        "env_file",
        "pass_env",
        "stop_signal",
        "grace",
        "memory",
        "cpu",
        "tasks",
        "depends_on",
        "user",
        "probe",
        "probe_timeout",
        "probe_failures",
        "never_restart",
        "on_boot",
    ],
    passes: true,
};

/// One file with a service for each process.
#[must_use]
pub fn write(leaving: &[Leaving<'_>], place: &Place<'_>) -> Vec<Written> {
    let mut text = "# Made by `guardian export compose`.\nservices:\n".to_owned();
    for process in leaving {
        text.push_str(&service(process, place));
    }
    if leaving.iter().any(|process| form(process, place).wrapped) {
        text.push_str("volumes:\n  guardian-state: {}\n");
    }
    let wrapped = leaving.iter().filter(|process| form(process, place).wrapped);
    let registries = wrapped.map(|process| Written {
        name: registry_name(process),
        text: format!(
            "# Made by `guardian export compose`: the registry in the container, owned by who runs guardian there.\n{}",
            table(process)
        ),
    });
    let compose = Written { name: "compose.yaml".to_owned(), text };
    std::iter::once(compose).chain(registries).collect()
}

/// The registry of a process that guardian runs in a container of its own.
fn registry_name(process: &Leaving<'_>) -> String {
    format!("{}.registry.toml", dns(process.name))
}

fn form(process: &Leaving<'_>, place: &Place<'_>) -> Form {
    let mut form = Form::of(process, &CAN, place);
    let never = &process.spec.never_restart;
    if !never.is_empty() && *never != crate::model::never::Never::USUAL {
        let ends: Vec<String> = never.iter().map(ToString::to_string).collect();
        form.gaps.push(format!("never_restart = [{}]", ends.join(", ")));
    }
    if let Some(probe) = process.spec.probe.as_ref().filter(|probe| !matches!(probe, Probe::Command(_))) {
        form.gaps.push(format!("probe = \"{probe}\""));
    }
    form.wrapped |= !form.gaps.is_empty();
    form
}

fn service(process: &Leaving<'_>, place: &Place<'_>) -> String {
    let (spec, form) = (process.spec, form(process, place));
    let mut text = form.comment(process, &CAN, "  #");
    let mut say = |line: String| text.push_str(&format!("{line}\n"));
    say(format!("  {}:", quoted(&dns(process.name)))); // `123` and `true` would be no texts
    match place.image {
        Some(image) => say(format!("    image: {}", quoted(&dollars(image)))),
        None if form.wrapped => {
            say("    # An image with guardian and the program in it.".to_owned());
            say(format!("    image: {}", quoted(&format!("{}:latest", dns(process.name)))));
        }
        None => {
            say("    # An image with the program in it.".to_owned());
            say(format!("    image: {}", quoted(&format!("{}:latest", dns(process.name)))));
        }
    }
    let words: Vec<String> = command(process, &form, "guardian").iter().map(|word| dollars(word)).collect();
    say(format!("    command: {}", list(&words)));
    say(format!(
        "    restart: {}",
        quoted(match again(spec) {
            Again::Always => "always",
            Again::OnFailure => "on-failure",
            Again::No => "no",
        })
    ));
    let mut variables: Vec<String> = Vec::new();
    if form.wrapped {
        say(format!("    stop_grace_period: {}s", whole_seconds(spec.grace) + BEYOND));
        say("    volumes:".to_owned());
        let registry = format!("./{}:/etc/guardian/registry.toml:ro", registry_name(process));
        say(format!("      - {}", quoted(&registry)));
        say("      - \"guardian-state:/var/lib/guardian\"".to_owned());
    } else {
        let signal = Signal(spec.stop_signal).to_string();
        say(format!("    stop_signal: {}", quoted(&signal)));
        say(format!("    stop_grace_period: {}s", whole_seconds(spec.grace)));
        spec.cwd.iter().for_each(|cwd| say(format!("    working_dir: {}", quoted(&dollars(cwd)))));
        variables.extend(open_variables(spec).map(|(name, value)| dollars(&format!("{name}={value}"))));
        if let Some(Probe::Command(line)) = &spec.probe {
            let (every, timeout) = (whole_seconds(spec.probe_every), whole_seconds(spec.probe_timeout));
            say(format!(
                "    healthcheck: {{test: [\"CMD-SHELL\", {}], interval: {every}s, timeout: {timeout}s, retries: {}}}",
                quoted(&dollars(line)),
                spec.probe_failures
            ));
        }
    }
    if let Some(user) = user(process, &form, place).filter(|_| !form.wrapped) {
        say(format!("    user: {}", quoted(&user)));
    }
    spec.env_file.iter().for_each(|file| say(format!("    env_file: [{}]", quoted(&dollars(file)))));
    variables.extend(referenced(spec).into_iter().cloned());
    if !variables.is_empty() {
        say(format!("    environment: {}", list(&variables)));
    }
    spec.memory.iter().for_each(|bytes| say(format!("    mem_limit: {bytes}")));
    spec.cpu.iter().for_each(|cores| say(format!("    cpus: {cores}")));
    spec.tasks.iter().for_each(|tasks| say(format!("    pids_limit: {tasks}")));
    if !spec.depends_on.is_empty() {
        let names: Vec<String> = spec.depends_on.iter().map(dns).collect();
        say(format!("    depends_on: {}", list(&names)));
    }
    text
}
