//! What a watch may and may not say.

use std::time::Duration;

use super::*;
use crate::model::watch::Subject;

fn problems(text: &str) -> Vec<String> {
    let context = Context { home_dir: Some("/home/me".into()), zone: None, has_user: None };
    parse(text, &context).problems.iter().map(|problem| format!("{problem} / {}", problem.hint)).collect()
}

fn spec(keys: &str) -> WatchSpec {
    let parsed = parse(
        &format!("[watch.w]\n{keys}\n"),
        &Context { home_dir: Some("/home/me".into()), zone: None, has_user: None },
    );
    assert_eq!(parsed.problems, [], "{keys}");
    parsed.registry.watches.into_values().next().unwrap().spec
}

#[test]
fn every_kind_is_read_and_shown_so_that_it_reads_back() {
    for keys in [
        "pid_file = '~/x.pid'",
        "match = 'node .*gateway'\nuser = 'bob'",
        "file = '/x'\nmax_age = '10m'\nevery = '5m'",
        "json_file = '/x'\nfield = 'a[0].\"\"'\nmax_age = '10m'",
        "output = 'date'\nmax_age = '1h'\naction = 'mend'\naction_timeout = '1m'\nmax_failures = 1\nwindow = '1h'",
        "command = 'curl -f localhost'\nafter = 5\nseverity = 'critical'\ngroup = 'g'\nbreaker_cooldown = '1m'",
        "openclaw = true",
        "openclaw = '/srv/claw'\nprogram = '/opt/openclaw'",
    ] {
        let keys = keys.replace("a[0].\"\"", "a[0].ts");
        let spec = spec(&keys);
        let shown = watch_show::show(&"w".parse().unwrap(), &spec);
        let again = parse(&shown, &Context::default());
        assert_eq!(again.problems, [], "{shown}");
        assert_eq!(again.registry.watches.into_values().next().unwrap().spec, spec, "{shown}");
    }
    let Subject::PidFile { path } = spec("pid_file = '~/x.pid'").subject else { panic!("another kind") };
    assert_eq!(path, "/home/me/x.pid");
}

#[test]
fn a_mistake_is_named_with_its_place_and_drops_its_watch_alone() {
    for (keys, want) in [
        (
            "every = '1m'",
            "1:8: watch `w`: it does not say what is to be watched / add one of `pid_file`, `match`, `file`, `json_file`, `output`, `command`, `openclaw`",
        ),
        (
            "file = '/x'\nmax_age = '1m'\ncommand = 'x'",
            "4:1: watch `w`: both `file` and `command` are given / keep one of them: a watch looks at one thing",
        ),
        ("file = '/x'", "1:8: watch `w`: `max_age` is missing / add it: a duration such as `\"10s\"`"),
        ("json_file = '/x'\nmax_age = '1m'", "1:8: watch `w`: `field` is missing / add it: a string"),
        (
            "file = 'x'\nmax_age = '1m'",
            "2:8: watch `w`: `file` is not an absolute path: \"x\" / write it out from `/`, or begin it with `~/`",
        ),
        (
            "command = 'x'\nmax_age = '1m'",
            "3:1: watch `w`: key `max_age` belongs to watches of kind `file`, this one is `command` / take it out",
        ),
        ("command = 'x'\ntimeuot = '1m'", "3:1: watch `w`: unknown key `timeuot` / did you mean `timeout`?"),
        ("command = 'x'\nafter = 0", "3:9: watch `w`: `after` cannot be 0 / a whole number from 1 is wanted"),
        ("command = 'x'\nwindow = '-1h'", "3:10: watch `w`: `window`: "),
        ("match = 'a('", "2:9: watch `w`: `match`: \"a(\" is no regular expression: "),
        (
            "json_file = '/x'\nmax_age = '1m'\nfield = 'a..b'",
            "4:9: watch `w`: `field`: \"a..b\" names no place in a document: a name is wanted at character 2 / ",
        ),
        ("openclaw = false", "2:12: watch `w`: `openclaw` is false / take the watch out instead"),
        ("command = 'x'\nnotify = ['nobody']", "3:10: watch `w`: `notify`: there is no sink \"nobody\" / "),
    ] {
        let found = problems(&format!("[watch.w]\n{keys}\n"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(want), "{}", found[0]);
        let text = format!("[watch.other]\ncommand = 'x'\n[process.p]\nshell = 'x'\n[watch.w]\n{keys}\n");
        let registry = parse(&text, &Context::default()).registry;
        assert!(registry.watches.keys().any(|name| name.as_str() == "other") && registry.processes.len() == 1);
    }
}

#[test]
fn names_are_those_of_processes_and_none_is_both() {
    assert_eq!(
        problems("[process.a]\nshell = 'x'\n[watch.a]\ncommand = 'x'\n"),
        [
            "3:8: watch `a`: there is a process of the same name / give one of them another name: commands take either by its name"
        ]
    );
    let found = problems("[watch.'../a']\ncommand = 'x'\n");
    assert!(found[0].starts_with("1:8: watch `../a`: "), "{found:?}");
    let registry = parse("[process.a]\nshell = 'x'\n[watch.a]\ncommand = 'x'\n", &Context::default()).registry;
    assert_eq!((registry.processes.len(), registry.watches.len()), (1, 0), "the process is served");
}

#[test]
fn of_the_defaults_only_what_processes_and_watches_share_holds() {
    let text = "[defaults]\nmax_failures = 7\nwindow = '2h'\nbreaker_cooldown = '3m'\ngroup = 'g'\ngrace = '9s'\n\
                [watch.w]\ncommand = 'x'\n";
    let registry = parse(text, &Context::default()).registry;
    let spec = &registry.watches.values().next().unwrap().spec;
    assert_eq!((spec.max_failures, spec.window, spec.group.as_deref()), (7, Duration::from_secs(7200), Some("g")));
    assert_eq!(spec.breaker_cooldown, Duration::from_secs(180));
    for key in watch_keys::SHARED {
        assert!(keys::find(key).is_some() && watch_keys::WATCH.iter().any(|known| known.name == *key), "{key}");
    }
}

#[test]
fn reference_schema_and_example_have_every_key_of_watches() {
    let page = reference::reference();
    let schema = reference::schema();
    let kinds = schema["properties"]["watch"]["additionalProperties"]["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), watch_keys::KINDS.len());
    for key in watch_keys::WATCH {
        assert!(page.contains(&format!("| `{}` |", key.name)), "{}", key.name);
        assert!(EXAMPLE.contains(&format!("{} = ", key.name)), "{} is not in the example", key.name);
        assert!(kinds.iter().any(|kind| kind["properties"][key.name].is_object()), "{}", key.name);
    }
    for entry in parse(
        &super::tests::all_of_the_example(),
        &Context { home_dir: Some("/home/me".into()), zone: None, has_user: None },
    )
    .registry
    .watches
    .values()
    {
        let json = watch_show::to_json(&entry.spec);
        let kind = entry.spec.subject.word();
        let own = kinds
            .iter()
            .find(|known| known["required"][0] == kind || known["required"].as_array().unwrap().contains(&kind.into()));
        for key in json.as_object().unwrap().keys() {
            assert!(own.unwrap()["properties"][key].is_object(), "{key}");
        }
    }
}
