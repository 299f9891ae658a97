//! What a registry may and may not say, as tables.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::model::sink::{SecretSource, SinkKind, Tls};
use crate::model::spec::{Command, Restart, Spec, Target};

fn read(text: &str) -> Parsed {
    parse(
        text,
        &Context {
            home_dir: Some(PathBuf::from("/home/me")),
            zone: Some("Europe/Berlin".to_owned()),
            ..Context::default()
        },
    )
}

pub(super) fn valid(text: &str) -> Registry {
    let parsed = read(text);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.registry
}

/// The one problem of a text.
pub(super) fn problem(text: &str) -> Problem {
    let mut problems = read(text).problems;
    assert_eq!(problems.len(), 1, "{text}: {problems:#?}");
    problems.remove(0)
}

pub(super) fn spec(keys: &str) -> Spec {
    let registry = valid(&format!("[process.x]\ncommand = ['x']\n{keys}\n"));
    registry.processes.into_values().next().unwrap().spec
}

#[test]
fn the_example_has_no_problems_and_every_key_and_sink_type() {
    let registry = valid(EXAMPLE);
    assert_eq!(registry.processes.len(), 3);
    assert_eq!(registry.sinks.len(), 4);
    // A secret is shown in one of its spellings.
    let other = |key: &keys::Key| matches!(key.field, keys::Field::Secret(spelling, _) if spelling != super::secret::Spelling::File);
    for key in keys::PROCESS.iter().filter(|key| !other(key)) {
        assert!(EXAMPLE.contains(&format!("{} = ", key.name)), "{} is not in the example", key.name);
    }
    for key in sink_keys::SINK {
        let spelled = sink_keys::spellings(key).iter().any(|name| EXAMPLE.contains(&format!("{name} = ")));
        assert!(spelled, "{} is not in the example", key.name);
    }
}

/// The example with everything that it only shows.
pub(super) fn all_of_the_example() -> String {
    let bare = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        if rest.starts_with("[watch.") || rest.starts_with("[sinks.") {
            return Some(rest.to_owned());
        }
        let (key, _) = rest.split_once(" = ")?;
        let known = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        known.then(|| rest.to_owned())
    };
    let lines: Vec<String> = EXAMPLE.lines().map(|line| bare(line).unwrap_or_else(|| line.to_owned())).collect();
    lines.join("\n")
}

#[test]
fn the_example_with_all_its_commented_keys_has_no_problems_either() {
    let registry = valid(&all_of_the_example());
    let spec = &registry.processes.values().next().unwrap().spec;
    let untouched = Spec::with_command(spec.command.clone());
    assert_eq!(spec.backoff_max, untouched.backoff_max, "the example shows defaults");
    assert_eq!(edit::differing(spec, &untouched).len(), 25, "{:?}", edit::differing(spec, &untouched));
}

#[test]
fn an_entry_with_a_user_that_is_not_there_is_left_out_with_its_place() {
    let context = Context { has_user: Some(|user| user == "ann"), ..Context::default() };
    let parsed = parse("[process.a]\nshell = 'a'\nuser = 'bob'\n[process.b]\nshell = 'b'\nuser = 'ann'\n", &context);
    let [problem] = parsed.problems.as_slice() else { panic!("{:?}", parsed.problems) };
    assert_eq!((problem.line, problem.column, parsed.registry.processes.len()), (3, 8, 1));
    assert!(problem.message.contains("there is no user \"bob\""), "{}", problem.message);
}

#[test]
fn all_errors_are_reported_at_once_each_with_line_and_column() {
    let text = "\
[process.a]
command = ['x']
grce = '10s'
grace = 480

[process.'ä']
command = []

[sinks.s]
type = 'emial'

[process.ok]
shell = 'x'
";
    let parsed = read(text);
    let found: Vec<_> = parsed.problems.iter().map(|p| (p.line, p.column, p.process.as_deref())).collect();
    let want = [(3, 1, Some("a")), (4, 9, Some("a")), (6, 10, Some("ä")), (7, 11, Some("ä")), (10, 8, None)];
    assert_eq!(found, want, "{:#?}", parsed.problems);
    assert_eq!(parsed.registry.processes.keys().map(Name::as_str).collect::<Vec<_>>(), ["ok"]);
    assert_eq!(parsed.registry.invalid, ["a", "ä"]);
}

#[test]
fn one_bad_entry_of_three_leaves_two() {
    let parsed = read("[process.a]\nshell='a'\n[process.b]\nshell=3\n[process.c]\nshell='c'\n");
    assert_eq!(parsed.registry.processes.keys().map(Name::as_str).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(parsed.registry.invalid, ["b"]);
}

#[test]
fn every_syntax_error_is_reported_and_nothing_is_served() {
    let parsed = read("[process.a]\ncommand = ['x'\ngrace = \n[process.b]\nshell = 'b'\n");
    assert!(!parsed.is_toml);
    assert!(!parsed.problems.is_empty());
    assert!(parsed.registry.processes.is_empty());
    for broken in ["\0", "{\"json\": 1}", "[process.a]\nshell='a'\n[process.a]\nshell='b'\n", "[process", "a = '''"] {
        assert!(!read(broken).is_toml, "{broken:?}");
    }
}

#[test]
fn values_that_are_not_valid_are_refused_by_name() {
    let cases = [
        ("grace = '480'", "has no unit", "`480m`"),
        ("grace = 480", "has no unit", "`480m`"),
        ("target = '480'", "has no unit", "`480m`"),
        ("target = 'exits'", "\"exits\"", "did you mean `exit`"),
        ("target = '0s'", "is zero", "exit"),
        ("tolerance = 0", "outside its range", "up to 1"),
        ("tolerance = 1.5", "outside its range", "up to 1"),
        ("tolerance = nan", "outside its range", "up to 1"),
        ("restart = 'alwyas'", "\"alwyas\"", "did you mean `always`"),
        ("restart = 'sometimes, if it rains'", "cannot be", "`\"never\"`"),
        ("stop_at_target = 'yes'", "is a string", "`true` or `false`"),
        ("stop_signal = 'TREM'", "not a signal", "did you mean `TERM`"),
        ("stop_signal = 99", "not a signal", "signal"),
        ("success_codes = []", "is empty", "name a code"),
        ("success_codes = [256]", "cannot be 256", "0 to 255"),
        ("never_restart = [-1]", "cannot be -1", "0 to 255"),
        ("never_restart = [2, 'SIGSEVG']", "neither an exit code nor a signal nor a cause", "did you mean `SIGSEGV`"),
        ("never_restart = ['oom_kiled']", "\"oom_kiled\"", "did you mean `oom_killed`"),
        ("never_restart = ['SEVG']", "\"SEVG\"", "did you mean `SIGSEGV`"),
        ("never_restart = ['quux']", "\"quux\"", "time_limit"),
        ("never_restart = [1.5]", "is a number", "signals such as"),
        ("never_restart = 2", "is a number", "an array of exit codes"),
        ("max_failures = -1", "cannot be -1", "whole number"),
        ("max_failures = 99999999999", "cannot be", "whole number"),
        ("env = { 'A=B' = '1' }", "name of a variable", "neither `=`"),
        ("env = { '' = '1' }", "name of a variable", "not empty"),
        ("env = { A = 1 }", "`env.A` is a number", "a string"),
        ("env = { A = \"a\\u0000\" }", "NUL", "take it out"),
        ("pass_env = ['']", "name of a variable", "not empty"),
        ("cwd = 'srv'", "not an absolute path", "`~/`"),
        ("cwd = ''", "is empty", "value"),
        ("time_limit = '0s'", "is zero", "take the key out"),
        ("group = ''", "is empty", "value"),
        ("stop-signal = 'TERM'", "unknown key", "did you mean `stop_signal`"),
        ("log_max = 5", "has no unit", "`512M`"),
        ("user = ''", "is empty", "value"),
        ("pty_size = '80'", "no size of a window", "`80x24`"),
        ("pty_size = 80", "is a number", "`\"80x24\"`"),
        ("ready_timeout = '0s'", "is zero", "what is usual"),
        ("hang_after = '0s'", "is zero", "take the key out"),
        ("memory = 512", "has no unit", "`512M`"),
        ("memory = 0.5", "is a number", "`\"512M\"`"),
        ("cpu = 0", "outside its range", "over 0"),
        ("cpu = 'two'", "is a string", "over 0"),
        ("tasks = 0", "cannot be 0", "from 1"),
        ("preflight = 5", "is a number", "a line for the shell"),
        ("preflight = ['']", "empty string", "take it out"),
        ("ready = 'tcp:0'", "has no port", "`tcp:[HOST:]PORT`"),
        ("ready = 'output:('", "no regular expression", "output:REGEX"),
        ("quux = 1", "unknown key", "docs/registry.md"),
        ("shell = 'y'", "both `command` and `shell`", "keep one"),
        ("notify = ['nobody']", "no sink \"nobody\"", "[sinks.nobody]"),
    ];
    for (key, message, hint) in cases {
        let problem = problem(&format!("[process.x]\ncommand = ['x']\n{key}\n"));
        assert!(problem.message.contains(message), "{key}: {problem:?}");
        assert!(problem.hint.contains(hint), "{key}: {problem:?}");
        assert_eq!((problem.line, problem.process.as_deref()), (3, Some("x")), "{key}");
    }
}

#[test]
fn a_command_is_an_array_that_begins_with_a_program() {
    let cases = [
        ("command = []", "is empty"),
        ("command = ['']", "empty string"),
        ("command = 'a b'", "one string"),
        ("command = ['a', 1]", "is a number"),
        ("command = [\"a\\u0000\"]", "NUL"),
        ("shell = ''", "is empty"),
        ("cwd = '/'", "neither `command` nor `shell`"),
    ];
    for (key, message) in cases {
        let problem = problem(&format!("[process.x]\n{key}\n"));
        assert!(problem.message.contains(message), "{key}: {problem:?}");
    }
    assert_eq!(spec("").command, Command::Argv(vec!["x".to_owned()]));
}

#[test]
fn values_are_read_as_they_are_meant() {
    assert_eq!(spec("target = '8h'").target, Target::For(Duration::from_secs(8 * 3600)));
    assert_eq!(spec("target = 'exit'").target, Target::Exit);
    assert_eq!(spec("restart = 'on_failure'").restart, Restart::OnFailure);
    assert_eq!(spec("restart = 'on-failure'").restart, Restart::OnFailure);
    assert_eq!(spec("stop_signal = 'SIGINT'").stop_signal, 2);
    assert_eq!(spec("stop_signal = 9").stop_signal, 9);
    assert_eq!(spec("tolerance = 1").tolerance, 1.0);
    assert_eq!(spec("cwd = '~/bot'").cwd.as_deref(), Some("/home/me/bot"));
    assert_eq!(spec("notify = 'auto'").notify, ["auto"]);
    assert_eq!(spec("max_failures = 0x10").max_failures, 16);
}

#[test]
fn what_is_not_said_is_the_built_in_default() {
    assert_eq!(spec(""), Spec::with_command(Command::Argv(vec!["x".to_owned()])));
}

#[test]
fn defaults_hold_for_all_and_a_process_stands_over_them() {
    let registry = valid(
        "[defaults]\ngrace = '1s'\nenv = { A = '1', B = '1' }\n[process.a]\nshell = 'a'\nenv = { B = '2' }\n\
         [process.b]\nshell = 'b'\ngrace = '2s'\n",
    );
    let a = &registry.processes[&"a".parse::<Name>().unwrap()].spec;
    let b = &registry.processes[&"b".parse::<Name>().unwrap()].spec;
    assert_eq!((a.grace.as_secs(), b.grace.as_secs()), (1, 2));
    assert_eq!((a.env["A"].as_str(), a.env["B"].as_str()), ("1", "2"));
}

#[test]
fn a_bad_default_is_reported_and_ignored() {
    let parsed = read("[defaults]\ngrace = 5\ncommand = ['x']\nbackoff = '2s'\n[process.a]\nshell = 'a'\n");
    let found: Vec<_> = parsed.problems.iter().map(|problem| (problem.line, problem.process.clone())).collect();
    assert_eq!(found, [(2, None), (3, None)]);
    let spec = &parsed.registry.processes.values().next().unwrap().spec;
    assert_eq!((spec.grace.as_secs(), spec.backoff.as_secs()), (10, 2));
}

#[test]
fn a_slip_in_the_name_of_a_sink_neither_drops_the_process_nor_silences_it() {
    let parsed = read("[process.a]\nshell = 'a'\nnotify = ['osp']\n[sinks.ops]\ntype = 'file'\npath = '/a'\n");
    assert!(parsed.problems[0].hint.contains("`ops`"), "{:?}", parsed.problems);
    assert_eq!(parsed.registry.processes.values().next().unwrap().spec.notify, Vec::<String>::new());
}

#[test]
fn a_process_that_names_only_a_dropped_sink_is_told_to_all_others() {
    let parsed = read("[process.a]\nshell = 'a'\nnotify = ['ops']\n[sinks.ops]\ntype = 'file'\n");
    assert_eq!(parsed.problems.len(), 1, "the sink is reported, the process is not");
    assert_eq!(parsed.registry.processes.values().next().unwrap().spec.notify, Vec::<String>::new());
}

const EMAIL: &str = "type = 'email'\nhost = 'h'\nfrom = 'a@b.c'\nto = ['d@e.f']\n";

#[test]
fn ports_follow_from_tls() {
    for (tls, port) in [("starttls", 587), ("implicit", 465), ("none", 25)] {
        let registry = valid(&format!("[sinks.m]\n{EMAIL}tls = '{tls}'\n"));
        let SinkKind::Email { port: found, .. } = registry.sinks[0].kind else { panic!("{tls}") };
        assert_eq!(found, port, "{tls}");
    }
    let SinkKind::Email { tls, .. } = valid(&format!("[sinks.m]\n{EMAIL}")).sinks[0].kind else { panic!() };
    assert_eq!(tls, Tls::Starttls);
}

#[test]
fn a_bad_sink_is_dropped_and_reported() {
    let login = "user = 'u'\npassword_env = 'P'\n";
    let cases = [
        ("type = 'pigeon'\n".to_owned(), "`type` cannot be"),
        ("url = 'https://a'\n".to_owned(), "`type` is missing"),
        ("type = 'webhook'\n".to_owned(), "`url` is missing"),
        ("type = 'webhook'\nurl = 'ftp://a'\n".to_owned(), "not a web address"),
        ("type = 'webhook'\nurl = 'https://a'\nurl_env = 'U'\n".to_owned(), "both `url` and `url_env`"),
        ("type = 'webhook'\nurl = 'https://a'\nheader = { 'a b' = 'c' }\n".to_owned(), "name of a header"),
        ("type = 'webhook'\nurl = 'https://a'\nheader = { a = \"c\\r\\nd: e\" }\n".to_owned(), "control character"),
        ("type = 'webhook'\nurl = 'https://a'\nhost = 'h'\n".to_owned(), "belongs to sinks of type `email`"),
        ("type = 'command'\n".to_owned(), "`command` is missing"),
        ("type = 'command'\ncommand = 'tell'\n".to_owned(), "one string"),
        ("type = 'file'\npath = 'a'\n".to_owned(), "not an absolute path"),
        ("type = 'file'\npath = '/a'\nevents = ['prematur']\n".to_owned(), "no kind of event"),
        ("type = 'file'\npath = '/a'\ntimeout = '0s'\n".to_owned(), "`timeout` is zero"),
        ("type = 'file'\npath = '/a'\nmin_severity = 'loud'\n".to_owned(), "`min_severity` cannot be"),
        (format!("{EMAIL}user = 'u'\n"), "without a password"),
        (format!("{EMAIL}password_env = 'P'\n"), "without `user`"),
        (format!("{EMAIL}{login}tls = 'none'\n"), "without TLS"),
        (format!("{EMAIL}port = 0\n"), "`port` cannot be 0"),
        (EMAIL.replace("d@e.f", "nobody"), "not a mail address"),
        (EMAIL.replace("'d@e.f'", ""), "`to` is empty"),
    ];
    for (keys, message) in cases {
        let text = format!("[sinks.ok]\ntype = 'file'\npath = '/a'\n[sinks.s]\n{keys}");
        let problem = problem(&text);
        assert!(problem.message.contains(message) && problem.message.starts_with("sink `s`: "), "{keys}: {problem:?}");
        assert_eq!(read(&text).registry.sinks.len(), 1, "{keys}");
    }
}

#[test]
fn a_password_may_go_to_this_host_without_tls() {
    for host in ["localhost", "127.0.0.1", "::1"] {
        let text = format!("[sinks.m]\n{EMAIL}user = 'u'\npassword_env = 'P'\ntls = 'none'\n");
        valid(&text.replace("'h'", &format!("'{host}'")));
    }
}

#[test]
fn secrets_have_four_spellings_and_never_print() {
    let text = "[sinks.h]\ntype = 'webhook'\nurl = 'https://a/s3cret'\n";
    assert!(!format!("{:?}", read(text)).contains("s3cret"));
    let bad = text.replace("https://", "https//");
    assert!(!format!("{:?}", read(&bad)).contains("s3cret"));
    let cases = [
        ("url_file = '~/u'", SecretSource::File("/home/me/u".to_owned())),
        ("url_env = 'U'", SecretSource::Env("U".to_owned())),
        ("url_command = ['pass', 'u']", SecretSource::Command(vec!["pass".to_owned(), "u".to_owned()])),
    ];
    for (line, want) in cases {
        let registry = valid(&format!("[sinks.h]\ntype = 'webhook'\n{line}\n"));
        let SinkKind::Webhook(webhook) = &registry.sinks[0].kind else { panic!("{line}") };
        assert_eq!(webhook.url, want);
    }
}

#[test]
fn events_of_the_contract_are_known_words() {
    let words = "['premature', 'failed', 'hung', 'tripped', 'recovered', 'half-open', '*']";
    let registry = valid(&format!("[sinks.f]\ntype = 'file'\npath = '/a'\nevents = {words}\n"));
    assert_eq!(registry.sinks[0].events[5], "half_open");
}

#[test]
fn unknown_tables_are_refused_with_what_they_may_have_been() {
    assert!(problem("[proces.a]\nshell = 'a'\n").hint.contains("[process]"));
    assert!(problem("process = 3\n").message.contains("not a table"));
    assert!(problem("[process]\na = 3\n").message.contains("not a table"));
    assert!(problem("[healthcheck]\nping_url = 'hush'\n").message.contains("not a web address"));
    assert!(!problem("[healthcheck]\nping_url = 'hush'\n").message.contains("hush"));
    assert!(problem("[process.a]\nshell = 'a'\nping_url = 'hush'\n").message.contains("not a web address"));
    let twice = "[process.a]\nshell = 'a'\nping_url = 'https://a'\nping_url_file = '/a'\n";
    assert_eq!(problem(twice).message, "both `ping_url` and `ping_url_file` are given");
    assert!(problem("[defaults]\nping_url_file = '/a'\n").message.contains("cannot be the same for all"));
    assert!(problem("[healthcheck]\nevery = '0s'\n").message.contains("zero"));
}

#[test]
fn a_byte_order_mark_and_dos_line_ends_are_no_obstacle() {
    let parsed = read("\u{feff}[process.a]\r\nshell = 'a'\r\ngrace = 1\r\n");
    let found: Vec<_> = parsed.problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(found, [(3, 9)]);
}

#[test]
fn a_registry_survives_its_compact_form() {
    let registry = valid(&all_of_the_example());
    let bytes = postcard::to_stdvec(&registry).unwrap();
    assert_eq!(postcard::from_bytes::<Registry>(&bytes), Ok(registry));
}

#[test]
fn a_problem_prints_its_place_first() {
    let text = problem("[process.a]\nshell = 'a'\ngrace = 5\n").to_string();
    assert_eq!(text, "3:9: process `a`: `grace`: duration \"5\" has no unit");
}
