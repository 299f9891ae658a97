//! Lines of a crontab as times of systemd's timers.

/// Days of the week as cron counts them.
const DAYS: [&str; 8] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The values of `OnCalendar=` that come at the times of `line`; `None`: there is no word for it. Where day of the month and
/// day of the week are both given, cron means either, so there are two.
pub(super) fn calendar(line: &str, zone: Option<&str>) -> Option<Vec<String>> {
    let named = match line.trim() {
        "@hourly" => Some("0 * * * *"),
        "@daily" | "@midnight" => Some("0 0 * * *"),
        "@weekly" => Some("0 0 * * 0"),
        "@monthly" => Some("0 0 1 * *"),
        "@yearly" | "@annually" => Some("0 0 1 1 *"),
        _ => None,
    };
    let fields: Vec<&str> = named.unwrap_or(line).split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    let (minute, hour) = (numbers(minute, 0)?, numbers(hour, 0)?);
    let (day_of_month, month) = (numbers(day, 1)?, numbers(&months(month), 1)?);
    let weekdays = days(weekday)?;
    let zone = zone.map_or(String::new(), |zone| format!(" {zone}"));
    let one = |weekdays: &str, day: &str| format!("{weekdays}*-{month}-{day} {hour}:{minute}:00{zone}");
    Some(match (*day, weekdays.as_str()) {
        (_, "") => vec![one("", &day_of_month)],
        ("*", weekdays) => vec![one(weekdays, "*")],
        (_, weekdays) => vec![one("", &day_of_month), one(weekdays, "*")],
    })
}

fn months(field: &str) -> String {
    let mut field = field.to_ascii_uppercase();
    for (index, month) in MONTHS.iter().enumerate() {
        field = field.replace(month, &(index + 1).to_string());
    }
    field
}

/// A field of numbers; `first` is where `*/n` begins.
fn numbers(field: &str, first: u32) -> Option<String> {
    let one = |item: &str| -> Option<String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let range = match range.split_once('-') {
            Some((from, to)) => format!("{}..{}", from.parse::<u32>().ok()?, to.parse::<u32>().ok()?),
            None if range == "*" && step.is_some() => first.to_string(),
            None if range == "*" => "*".to_owned(),
            None => range.parse::<u32>().ok()?.to_string(),
        };
        Some(step.map_or(range.clone(), |step| format!("{range}/{step}")))
    };
    field.split(',').map(one).collect::<Option<Vec<_>>>().map(|items| items.join(","))
}

/// The days of the week with a blank after them; empty: all.
fn days(field: &str) -> Option<String> {
    if field == "*" || field == "?" {
        return Some(String::new());
    }
    let day = |text: &str| -> Option<&'static str> {
        let named = DAYS.iter().find(|day| day.eq_ignore_ascii_case(text)).copied();
        named.or_else(|| text.parse::<usize>().ok().and_then(|number| DAYS.get(number).copied()))
    };
    let one = |item: &str| match item.split_once('-') {
        Some((from, to)) => Some(format!("{}..{}", day(from)?, day(to)?)),
        None => day(item).map(str::to_owned),
    };
    let days = field.split(',').map(one).collect::<Option<Vec<_>>>()?;
    Some(format!("{} ", days.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_crontab_become_times_of_a_timer() {
        let cases = [
            ("*/5 * * * *", Some(vec!["*-*-* *:0/5:00"])),
            ("30 6 * * 1-5", Some(vec!["Mon..Fri *-*-* 6:30:00"])),
            ("0 0 1,15 * *", Some(vec!["*-*-1,15 0:0:00"])),
            ("0 3 13 * FRI", Some(vec!["*-*-13 3:0:00", "Fri *-*-* 3:0:00"])),
            ("0 0 1 JAN-MAR *", Some(vec!["*-1..3-1 0:0:00"])),
            ("@daily", Some(vec!["*-*-* 0:0:00"])),
            ("0 0 L * *", None),
            ("0 0 * * 5#2", None),
        ];
        for (line, want) in cases {
            let want = want.map(|times| times.into_iter().map(str::to_owned).collect());
            assert_eq!(calendar(line, None), want, "{line}");
        }
        assert_eq!(calendar("@daily", Some("Europe/Kyiv")), Some(vec!["*-*-* 0:0:00 Europe/Kyiv".to_owned()]));
    }
}
