//! What a registry may and may not say of schedules.

use std::collections::BTreeMap;

use super::*;
use crate::registry::{Context, Parsed, parse};

fn read(text: &str) -> Parsed {
    parse(text, &Context { zone: Some("Europe/Berlin".to_owned()), ..Context::default() })
}

fn process(keys: &str) -> String {
    format!("[process.x]\ncommand = ['x']\n{keys}\n")
}

fn spec(text: &str) -> Spec {
    let parsed = read(text);
    assert_eq!(parsed.problems, [], "{text}");
    let specs: BTreeMap<_, _> = parsed.registry.processes.into_iter().collect();
    specs.into_values().next().unwrap().spec
}

#[test]
fn a_schedule_brings_the_target_exit_and_the_zone_of_the_machine_unless_another_is_said() {
    let plain = spec(&process("schedule = '0 */5 * * *'"));
    assert_eq!((plain.target, plain.zone), (Target::Exit, Zone::Machine(Some("Europe/Berlin".to_owned()))));
    let hour = std::time::Duration::from_secs(3600);
    let said = spec(&process("schedule = '@daily'\ntarget = '1h'\ntimezone = 'Asia/Kolkata'"));
    assert_eq!((said.target, said.zone), (Target::For(hour), Zone::Named("Asia/Kolkata".to_owned())));
    let defaults = spec(&format!("[defaults]\ntarget = 'forever'\n{}", process("schedule = '@daily'")));
    assert_eq!(defaults.target, Target::Exit, "a default is none of the process's own words");
    assert_eq!(spec(&process("")).zone, Zone::Machine(None), "nothing asked for it");
}

#[test]
fn each_mistake_is_told_at_its_very_place_with_what_is_allowed_there() {
    for (keys, line, column, what, hint) in [
        ("schedule = '0 25 * * *'", 3, 15, "`schedule`: hour \"25\" cannot be", "hour is 0 to 23"),
        ("schedule = \"0 5 * 13 *\"", 3, 19, "month \"13\"", "1 to 12, or JAN to DEC"),
        ("schedule = '''0 5 * * 9'''", 3, 23, "day of the week \"9\"", "SUN to SAT"),
        ("schedule = '''\n0 5 * * 9'''", 4, 9, "day of the week \"9\"", "SUN to SAT"),
        ("schedule = \"0\\t25 * * *\"", 3, 12, "hour \"25\"", "0 to 23"),
        ("schedule = '0 5 * *'", 3, 20, "it has 4 of five fields", "minute, hour"),
        ("schedule = '0 0 30 2 *'", 3, 17, "this day never comes in this month", "February 29"),
        ("schedule = '@reboot'", 3, 13, "\"@reboot\" is no time", "@hourly"),
        ("schedule = 5", 3, 12, "`schedule` is a number", "string"),
        (
            "schedule = '@daily'\ntimezone = 'Europe/Berln'",
            4,
            12,
            "no time zone is called",
            "did you mean `Europe/Berlin`?",
        ),
        ("timezone = 'Nowhere at all'", 3, 12, "no time zone is called", "IANA"),
        ("schedule = '@daily'\ntarget = 'forever'", 4, 10, "what never ends is never due again", "target = \"exit\""),
        ("schedule = '@daily'\nrestart = 'always'", 4, 11, "without a pause", "on-failure"),
        ("schedule = '@daily'\noverlap = 'skpi'", 4, 11, "`overlap` cannot be", "did you mean `skip`?"),
    ] {
        let problems = read(&process(keys)).problems;
        assert_eq!(problems.len(), 1, "{keys}: {problems:#?}");
        let problem = &problems[0];
        assert_eq!((problem.line, problem.column), (line, column), "{keys}: {problem:?}");
        assert!(problem.message.contains(what) && problem.hint.contains(hint), "{keys}: {problem:?}");
    }
}

#[test]
fn where_the_zone_of_the_machine_has_no_name_one_must_be_written_down() {
    let parsed = parse(&process("schedule = '@daily'"), &Context::default());
    assert!(parsed.problems[0].message.contains("time zone is not known") && parsed.registry.processes.is_empty());
    assert_eq!(parse(&process("schedule = '@daily'\ntimezone = 'UTC'"), &Context::default()).problems, []);
}
