//! The keys that say when a sink is told, as they are written right and wrong.

use crate::model::schedule::Zone;
use crate::registry::{Context, parse};

fn read(keys: &str, zone: Option<&str>) -> crate::registry::Parsed {
    let text = format!("[sinks.ops]\ntype = \"file\"\npath = \"/x\"\n{keys}\n");
    parse(&text, &Context { home_dir: None, zone: zone.map(str::to_owned), ..Context::default() })
}

#[test]
fn the_keys_are_read_and_the_zone_is_that_of_the_machine_where_a_clock_is_needed() {
    let parsed =
        read("quiet = [\"22:00-07:00\"]\ndigest = \"0 8 * * *\"\ngroup_window = \"30s\"", Some("Europe/Berlin"));
    assert_eq!(parsed.problems, []);
    let timing = &parsed.registry.sinks[0].timing;
    assert_eq!((timing.quiet.len(), timing.digest.as_deref()), (1, Some("0 8 * * *")));
    assert_eq!((timing.zone.name(), timing.group_window.as_secs()), (Some("Europe/Berlin"), 30));
    let named = read("quiet = [\"22:00-07:00\"]\ntimezone = \"UTC\"", None);
    assert_eq!((named.problems.len(), &named.registry.sinks[0].timing.zone), (0, &Zone::Named("UTC".into())));
    assert_eq!(read("", None).problems, [], "no clock is needed");
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_column() {
    let cases = [
        ("quiet = [\"22:00-7:77\"]", None, (4, 17), "no time from 00:00 to 24:00"),
        ("quiet = [\"Sat 00:00-24:00\", \"Sunn 1:00-2:00\"]", None, (4, 30), "is no day"),
        ("quiet = \"22:00-07:00\"", None, (4, 9), "is a string"),
        ("quiet = [\"00:00-24:00\"]", None, (4, 9), "no time at all"),
        ("quiet = [\"22:00-07:00\"]", Some(()), (4, 9), "time zone is not known"),
        ("timezone = \"Berlin\"", None, (4, 12), "no time zone is called"),
        ("digest = \"0 25 * * *\"", None, (4, 13), "hour"),
        ("group_window = \"2h\"", None, (4, 16), "longer than an hour"),
        ("group_window = \"30\"", None, (4, 16), "has no unit"),
    ];
    for (keys, lost, place, what) in cases {
        let parsed = read(keys, if lost.is_some() { None } else { Some("UTC") });
        let problem = &parsed.problems[0];
        assert_eq!((problem.line, problem.column), place, "{keys}: {problem:?}");
        assert!(problem.message.contains(what), "{keys}: {problem:?}");
    }
    let pager = "[sinks.p]\ntype = \"pagerduty\"\nrouting_key = \"x\"\ndigest = \"@daily\"\n";
    assert!(parse(pager, &Context::default()).problems[0].message.contains("keeps incidents"));
}
