//! A line with what differs each time folded away: numbers, times, addresses, ids, temporary files.
//!
//! Only for comparing: what folds alike is taken for the same, so folding too much makes different failures alike, and
//! too little makes the same one look new each time. Words are kept, digits never are.

/// Stands for whatever was folded.
const FOLDED: char = '#';
/// Places for files that have another name each time.
const TEMPORARY: [&str; 5] = ["/tmp/", "/var/tmp/", "/var/folders/", "/private/tmp/", "/dev/shm/"];
/// What ends the name of a file in a sentence.
const DELIMITERS: &str = "\"'`()[]{}<>,;:";
/// What stands between the parts of a time, a number or an id.
const JOINTS: &str = ".,:-/";
/// Units that numbers carry, or not, depending on their size.
const UNITS: [&str; 14] = ["ns", "us", "ms", "s", "m", "h", "d", "B", "K", "M", "G", "KB", "MB", "GB"];
/// Names that stand before a day of the month.
const CALENDAR: [&str; 19] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
    "Fri", "Sat", "Sun",
];

/// `line` with what differs each time folded away.
#[must_use]
pub fn fold(line: &str) -> String {
    let mut folded = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = if TEMPORARY.iter().any(|place| rest.starts_with(place)) {
            folded.push_str("/tmp/#");
            rest.find(|c: char| c.is_whitespace() || DELIMITERS.contains(c)).unwrap_or(rest.len())
        } else if is_of_a_word(first) {
            let length = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            if is_calendar(word, after) {
                push(&mut folded, "#")
            } else {
                push(&mut folded, &fold_word(word))
            }
            length
        } else {
            folded.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    folded
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Appends a folded word; one that goes on with the number before it is part of that.
fn push(folded: &mut String, word: &str) {
    let joined = |folded: &str| {
        let before = folded.strip_suffix(|c| JOINTS.contains(c));
        before.is_some_and(|before| before.ends_with(FOLDED))
    };
    if word == "#" && joined(folded) {
        folded.pop();
        return;
    }
    folded.push_str(word);
}

/// The name of a month or of a day of the week, in a date.
fn is_calendar(word: &str, after: &str) -> bool {
    let next = after.trim_start_matches([' ', ',']);
    let dated = next.starts_with(|c: char| c.is_ascii_digit()) || CALENDAR.iter().any(|name| next.starts_with(name));
    CALENDAR.contains(&word) && next.len() < after.len() && dated
}

fn fold_word(word: &str) -> String {
    let is = |text: &str, of: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(of);
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let address = word.strip_prefix("0x").is_some_and(|digits| is(digits, u8::is_ascii_hexdigit));
    let id = is(word, u8::is_ascii_hexdigit) && if has_digit { word.len() >= 4 } else { word.len() >= 8 };
    let temporary = word.strip_prefix("tmp").is_some_and(|random| {
        random.len() == 8 && is(random, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'_')
    });
    if address || id || temporary {
        return FOLDED.to_string();
    }
    let mut folded = String::new();
    for c in word.chars() {
        match (c.is_ascii_digit(), folded.ends_with(FOLDED)) {
            (true, true) => {}
            (true, false) => folded.push(FOLDED),
            (false, _) => folded.push(c),
        }
    }
    let unit = folded.strip_prefix(FOLDED).is_some_and(|unit| UNITS.contains(&unit));
    if unit || ["#T#", "#T#Z", "#Z"].contains(&folded.as_str()) { FOLDED.to_string() } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_each_time_is_folded_and_what_does_not_is_kept() {
        let cases = [
            ("numbers", "line 12 of 340", "line # of #"),
            ("a number in a word", "worker12 gave up", "worker# gave up"),
            ("fractions and units", "after 1.53s, 20ms", "after #, #"),
            ("a time with a date", "2026-11-21T05:04:03.120Z failed", "# failed"),
            ("a date of syslog", "Sat, Nov 21 05:04:03 failed", "#, # # # failed"),
            ("months are words elsewhere", "Mar failed in May", "Mar failed in May"),
            ("a pid", "[4242] failed", "[#] failed"),
            ("an address", "at 0x7ffd12ab", "at #"),
            ("a long id", "request deadbeef, 3f2a9c", "request #, #"),
            ("a UUID", "550e8400-e29b-41d4-a716-446655440000", "#"),
            ("words of few hex letters", "bad face added", "bad face added"),
            ("a temporary file", "open \"/tmp/tmpab_12xy/a.py\": no", "open \"/tmp/#\": no"),
            ("one elsewhere", "/srv/tmpk3jx92ab/x", "/srv/#/x"),
            ("other paths", "/srv/app/main.py", "/srv/app/main.py"),
            ("other letters", "größer als 12 €", "größer als # €"),
            ("nothing", "", ""),
        ];
        for (claim, line, want) in cases {
            assert_eq!(fold(line), want, "{claim}");
        }
    }

    #[test]
    fn folding_again_changes_nothing() {
        for line in ["Nov 21 05:04:03 x[12]: 0xff 1.5s /tmp/x", "a-1-b2", "1,2,3"] {
            assert_eq!(fold(&fold(line)), fold(line), "{line}");
        }
    }
}
