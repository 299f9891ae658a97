//! Processes as objects of Kubernetes: a Deployment for a service, a Job for what ends, a CronJob for what has times.

use super::export::{
    Again, Can, Form, Leaving, Place, Written, again, command, dns, dollars, is_odd, list, open_variables, quoted,
    referenced, table, whole_seconds,
};
use crate::model::probe::Probe;
use crate::model::schedule::Overlap;
use crate::model::spec::Spec;

/// Seconds that `guardian exec` needs beyond the grace of the process: the KILL, the certificate, the alerts.
const BEYOND: u64 = 30;

const CAN: Can = Can {
    system: "Kubernetes",
    says: &[
        "cwd",
        "env_file",
        "pass_env",
        "grace",
        "memory",
        "cpu",
        "time_limit",
        "schedule",
        "timezone",
        "overlap",
        "probe",
        "probe_timeout",
        "probe_failures",
        "never_restart",
        "on_boot",
        "depends_on",
    ],
    passes: true,
};

/// One file for each process.
#[must_use]
pub fn write(leaving: &[Leaving<'_>], place: &Place<'_>) -> Vec<Written> {
    let one =
        |process: &Leaving<'_>| Written { name: format!("{}.yaml", dns(process.name)), text: object(process, place) };
    leaving.iter().map(one).collect()
}

fn form(process: &Leaving<'_>, place: &Place<'_>) -> Form {
    let (spec, mut form) = (process.spec, Form::of(process, &CAN, place));
    let usual = crate::model::never::Never::USUAL;
    if !spec.never_restart.is_empty() && spec.never_restart != usual {
        let ends: Vec<String> = spec.never_restart.iter().map(ToString::to_string).collect();
        form.gaps.push(format!("never_restart = [{}]", ends.join(", ")));
    }
    if spec.overlap == Overlap::Queue {
        form.gaps.push("overlap = \"queue\"".to_owned());
    }
    if spec.time_limit.is_some() && again(spec) == Again::Always {
        form.gaps.push("time_limit of a service".to_owned());
    }
    form.wrapped |= !form.gaps.is_empty();
    form
}

/// Lines, each so far to the right.
fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{:by$}{line}\n", "") }).collect()
}

fn object(process: &Leaving<'_>, place: &Place<'_>) -> String {
    let (spec, name, form) = (process.spec, dns(process.name), form(process, place));
    let mut text =
        format!("# Made by `guardian export kubernetes {}`.\n{}", process.name, form.comment(process, &CAN, "#"));
    if !spec.depends_on.is_empty() {
        text.push_str("# Nothing waits for what it depends on: let the program try again, or add an initContainer.\n");
    }
    if form.wrapped {
        let registry = table(process);
        let registry = match registry.chars().any(|letter| letter != '\n' && is_odd(letter)) {
            true => format!(" {}\n", quoted(&registry)),
            false => format!(" |\n{}", indented(&registry, 4)),
        };
        text.push_str(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}-guardian\ndata:\n  registry.toml:{registry}---\n"
        ));
    }
    let label = quoted(&name); // `123` and `true` would be no texts
    let meta = format!("metadata:\n  name: {label}\n  labels: {{app: {label}}}\n");
    let pod = |restart: &str| {
        format!("metadata:\n  labels: {{app: {label}}}\nspec:\n{}", indented(&pod(process, &form, place, restart), 2))
    };
    let job = |restart: &str| {
        let tries = if again(spec) == Again::No { 0 } else { 6 };
        let limit = spec
            .time_limit
            .filter(|_| !form.wrapped)
            .map_or(String::new(), |limit| format!("activeDeadlineSeconds: {}\n", whole_seconds(limit)));
        format!("backoffLimit: {tries}\n{limit}template:\n{}", indented(&pod(restart), 2))
    };
    let restart = if again(spec) == Again::No { "Never" } else { "OnFailure" };
    match (&spec.schedule, again(spec)) {
        (Some(line), _) => {
            let policy = if spec.overlap == Overlap::Kill { "Replace" } else { "Forbid" };
            let zone = spec.zone.name().map_or(String::new(), |zone| format!("  timeZone: {}\n", quoted(zone)));
            text.push_str(&format!(
                "apiVersion: batch/v1\nkind: CronJob\n{meta}spec:\n  schedule: {}\n{zone}  concurrencyPolicy: {policy}\n  jobTemplate:\n    spec:\n{}",
                quoted(line),
                indented(&job(restart), 6)
            ));
        }
        (None, Again::Always) => text.push_str(&format!(
            "apiVersion: apps/v1\nkind: Deployment\n{meta}spec:\n  replicas: 1\n  strategy: {{type: Recreate}}\n  \
             selector: {{matchLabels: {{app: {label}}}}}\n  template:\n{}",
            indented(&pod("Always"), 4)
        )),
        (None, Again::OnFailure | Again::No) => {
            text.push_str(&format!("apiVersion: batch/v1\nkind: Job\n{meta}spec:\n{}", indented(&job(restart), 2)));
        }
    }
    text
}

fn pod(process: &Leaving<'_>, form: &Form, place: &Place<'_>, restart: &str) -> String {
    let (spec, name) = (process.spec, dns(process.name));
    let grace = whole_seconds(spec.grace) + if form.wrapped { BEYOND } else { 0 };
    let mut text = format!(
        "restartPolicy: {restart}\nterminationGracePeriodSeconds: {grace}\ncontainers:\n- name: {}\n",
        quoted(&name)
    );
    // `$(NAME)` is a variable there, and `$$` is `$`.
    let words: Vec<String> = command(process, form, "guardian").iter().map(|word| dollars(word)).collect();
    let usual = format!("{name}:latest");
    text.push_str(&format!("  image: {}\n  command: {}\n", quoted(place.image.unwrap_or(&usual)), list(&words)));
    if place.image.is_none() {
        let what = if form.wrapped { "guardian and the program" } else { "the program" };
        text.insert_str(0, &format!("# The image must have {what} in it.\n"));
    }
    if let Some(cwd) = spec.cwd.as_ref().filter(|_| !form.wrapped) {
        text.push_str(&format!("  workingDir: {}\n", quoted(cwd)));
    }
    text.push_str(&environment(spec, &name, form));
    let mut limits = Vec::new();
    limits.extend(spec.memory.map(|bytes| format!("memory: {}", quoted(&bytes.to_string()))));
    limits.extend(spec.cpu.map(|cores| format!("cpu: {}", quoted(&cores.to_string()))));
    if !limits.is_empty() {
        text.push_str(&format!("  resources: {{limits: {{{}}}}}\n", limits.join(", ")));
    }
    if !form.wrapped {
        text.push_str(&probe(spec));
        return text;
    }
    text.push_str(
        "  volumeMounts:\n  - {name: registry, mountPath: /etc/guardian/registry.toml, subPath: registry.toml}\n",
    );
    text.push_str("  - {name: state, mountPath: /var/lib/guardian}\nvolumes:\n");
    text.push_str(&format!(
        "- {{name: registry, configMap: {{name: {name}-guardian}}}}\n- {{name: state, emptyDir: {{}}}}\n"
    ));
    text
}

/// Variables; what is secret is named, in a Secret of the cluster's.
fn environment(spec: &Spec, name: &str, form: &Form) -> String {
    let mut text = String::new();
    if spec.env_file.is_some() {
        text.push_str(&format!(
            "  # What `env_file` holds: kubectl create secret generic {name}-env --from-env-file=FILE\n"
        ));
        text.push_str(&format!("  envFrom:\n  - secretRef: {{name: {name}-env}}\n"));
    }
    let mut variables = Vec::new();
    if !form.wrapped {
        variables.extend(
            open_variables(spec)
                .map(|(key, value)| format!("  - {{name: {}, value: {}}}\n", quoted(key), quoted(&dollars(value)))),
        );
    }
    variables.extend(referenced(spec).into_iter().map(|key| {
        format!("  - {{name: {0}, valueFrom: {{secretKeyRef: {{name: {name}-secrets, key: {0}}}}}}}\n", quoted(key))
    }));
    if !variables.is_empty() {
        text.push_str("  env:\n");
    }
    text + &variables.concat()
}

fn probe(spec: &Spec) -> String {
    let Some(probe) = &spec.probe else { return String::new() };
    let what = match probe {
        Probe::Command(line) => format!("exec: {{command: [\"/bin/sh\", \"-c\", {}]}}", quoted(&dollars(line))),
        Probe::Tcp { port, .. } => format!("tcpSocket: {{port: {port}}}"),
        Probe::Http { url, .. } => {
            format!("exec: {{command: [\"wget\", \"-q\", \"-O\", \"/dev/null\", {}]}}", quoted(&dollars(url)))
        }
        Probe::File(path) => format!("exec: {{command: [\"test\", \"-e\", {}]}}", quoted(&dollars(path))),
        Probe::Notify | Probe::Output(_) | Probe::Delay(_) => return String::new(), // none shows that it is alive
    };
    let (every, timeout) = (whole_seconds(spec.probe_every), whole_seconds(spec.probe_timeout));
    format!(
        "  livenessProbe:\n    {what}\n    periodSeconds: {every}\n    timeoutSeconds: {timeout}\n    failureThreshold: {}\n",
        spec.probe_failures
    )
}
