//! Where the options of a program end and its operands begin.

use super::words::Arg;

/// The options of a program that take a value in the next word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Valued {
    /// Letters.
    pub(super) short: &'static str,
    /// Words, without the dashes.
    pub(super) long: &'static [&'static str],
}

/// No option takes a value in the next word.
pub(super) const NONE: Valued = Valued { short: "", long: &[] };

/// Which of `args` is the first operand; their number: there is none.
pub(super) fn operand(args: &[Arg], valued: Valued) -> usize {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.text.as_str();
        at += match text.strip_prefix("--") {
            Some("") => return (at + 1).min(args.len()),
            Some(long) => 1 + usize::from(valued.long.contains(&long)),
            None => match text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                Some(letters) => 1 + usize::from(takes_next(letters, valued.short)),
                None => return at,
            },
        };
    }
    args.len()
}

/// Whether the last of a cluster of letters has its value in the next word.
fn takes_next(letters: &str, valued: &str) -> bool {
    let first = letters.char_indices().find(|(_, letter)| valued.contains(*letter));
    first.is_some_and(|(at, letter)| at + letter.len_utf8() == letters.len())
}

/// Whether one of these options, up to the first operand, is given.
pub(super) fn has(args: &[Arg], valued: Valued, letter: char, long: &[&str]) -> bool {
    let mut at = 0;
    let end = operand(args, valued);
    while let Some(arg) = args.get(at).filter(|_| at < end) {
        if is(&arg.text, valued, letter, long) {
            return true;
        }
        let one = args.get(at..=at).unwrap_or_default();
        at += 1 + usize::from(wants_value(one, valued));
    }
    false
}

/// Whether a single word is an option whose value is the next.
fn wants_value(one: &[Arg], valued: Valued) -> bool {
    one.first().is_some_and(|arg| match arg.text.strip_prefix("--") {
        Some(long) => valued.long.contains(&long),
        None => arg.text.strip_prefix('-').is_some_and(|letters| takes_next(letters, valued.short)),
    })
}

/// Whether a word is this option, or a cluster of letters with it. `--long=false` is not.
pub(super) fn is(text: &str, valued: Valued, letter: char, long: &[&str]) -> bool {
    match text.strip_prefix("--") {
        Some(word) => {
            let (word, value) = word.split_once('=').unwrap_or((word, "true"));
            long.contains(&word) && !matches!(value, "false" | "no" | "0")
        }
        None => text.strip_prefix('-').is_some_and(|letters| {
            let (letters, value) = letters.split_once('=').unwrap_or((letters, "true"));
            if letters.ends_with(letter) && matches!(value, "false" | "no" | "0") {
                return false;
            }
            let own = letters.find(|letter| valued.short.contains(letter)).unwrap_or(letters.len());
            letters.find(letter).is_some_and(|at| at < own)
        }),
    }
}

/// `args` without this option: its word is left out, or its letter taken from a cluster.
pub(super) fn without(args: &[Arg], valued: Valued, letter: char, long: &[&str]) -> Vec<Arg> {
    let mut kept = Vec::new();
    let mut at = 0;
    let end = operand(args, valued);
    while let Some(arg) = args.get(at) {
        at += 1;
        if at > end || !is(&arg.text, valued, letter, long) {
            kept.push(arg.clone());
            if at <= end && wants_value(std::slice::from_ref(arg), valued) {
                kept.extend(args.get(at).cloned());
                at += 1;
            }
        } else if !arg.text.starts_with("--") && arg.text.len() > 2 {
            kept.push(Arg::plain(&arg.text.replacen(letter, "", 1)));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<Arg> {
        line.split(' ').map(Arg::new).collect()
    }

    #[test]
    fn values_of_options_are_no_operands() {
        let valued = Valued { short: "un", long: &["user"] };
        for (line, at) in [("-u bob x", 2), ("-ubob x", 1), ("-kn 1 x", 2), ("--user bob x", 2), ("--user=bob x", 1)] {
            assert_eq!(operand(&args(line), valued), at, "{line}");
        }
        assert_eq!(operand(&args("-- -x"), valued), 1);
        assert_eq!(operand(&args("-k"), valued), 1);
    }

    #[test]
    fn an_option_is_taken_out_of_a_cluster_and_not_out_of_what_follows_the_operand() {
        let valued = Valued { short: "p", long: &["name"] };
        for (line, kept) in [
            ("-dit img -d", "-it img -d"),
            ("-d -p 1:1 img", "-p 1:1 img"),
            ("--name d --detach img", "--name d img"),
            ("-p -d img", "-p -d img"),
        ] {
            let without = without(&args(line), valued, 'd', &["detach"]);
            assert_eq!(super::super::words::typed(&without), kept);
        }
        assert!(!has(&args("--detach=false img"), valued, 'd', &["detach"]));
        assert!(has(&args("-itd img"), valued, 'd', &["detach"]));
    }
}
