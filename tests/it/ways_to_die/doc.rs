//! The table as a page: printed by each run, kept in `docs/ways-to-die.md` by `scripts/ways-to-die`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::PARTS;
use super::row::Row;
use super::seen::Seen;
use super::shimless::Shimless;

/// Set by `scripts/ways-to-die`: the run is written into the page.
const KEEP: &str = "GUARDIAN_WAYS_KEEP";
/// Begins the second half of the page.
const SHIMLESS: &str = "## With the shim killed at a random moment";

const HEAD: &str = "# Ways to die

What guardian said of each, in a run of the tests through the real program. This page is written by
`scripts/ways-to-die`; a test holds that it says what the tests ask for.

Each row is a program in a guardian home of its own. Most are modes of `tests/it/ways_to_die/die.c`; the rows are in
`tests/it/ways_to_die/codes.rs` and `tests/it/ways_to_die/killed.rs`. *signals*: what is known to have been on its way
to the program, and who sent it (`murderer` is a process that the test started; the pid is compared, too). *restarted*:
whether a second run was started, exactly one, and else in which state the process stays. *told*: whether a sink without
filters heard of it.
";

const SHIMLESS_HEAD: &str = "
Each row again, and its shim gets SIGKILL at a random moment, counted from when it was seen (–: it had ended by itself).
The cause is then the true one, or `shim_killed`, or `unknown`; never another. No program was started while an earlier
start of it lived, no job was started again that was not to be, and each end that is not as it should be was told.
`GUARDIAN_WAYS_SEED` repeats the moments of a run.
";

fn cells(seen: &Seen) -> String {
    let signals = if seen.signals.is_empty() { "–".to_owned() } else { seen.signals.join("; ") };
    let told = if seen.told { "yes" } else { "no" };
    format!("{} | {} | {signals} | {} | {told}", seen.cause, seen.verdict, seen.then)
}

/// The first half of the page.
pub(super) fn table(seen: &[(&'static Row, Seen)]) -> String {
    let mut page = format!("{HEAD}\n{} ways.\n", seen.len());
    for part in PARTS {
        write!(page, "\n## {}\n\n| name | what happens | cause | verdict | signals | restarted | told |\n", part.title)
            .unwrap();
        page.push_str("|---|---|---|---|---|---|---|\n");
        for (row, seen) in seen.iter().filter(|(row, _)| part.rows.iter().any(|own| std::ptr::eq(own, *row))) {
            writeln!(page, "| `{}` | {} | {} |", row.name, row.way.replace('|', "\\|"), cells(seen)).unwrap();
        }
    }
    page.push('\n');
    page
}

/// The second half.
pub(super) fn shimless(seed: u64, seen: &[(&'static Row, Shimless)]) -> String {
    let mut page = format!("{SHIMLESS}\n{SHIMLESS_HEAD}\nThis run: `GUARDIAN_WAYS_SEED={seed}`.\n\n");
    page.push_str(
        "| name | killed after | cause | verdict | signals | restarted | told |\n|---|---|---|---|---|---|---|\n",
    );
    for (row, Shimless { after_us, seen }) in seen {
        let after = after_us.map_or("–".to_owned(), |us| format!("{}.{} ms", us / 1000, us % 1000 / 100));
        writeln!(page, "| `{}` | {after} | {} |", row.name, cells(seen)).unwrap();
    }
    page
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ways-to-die.md"))
}

/// Shows a half to who runs the test with `--nocapture`, and keeps it if that was asked for.
#[expect(clippy::print_stdout, reason = "the table is for who runs the test; the harness captures it otherwise")]
pub(super) fn print(half: &str) {
    println!("{half}");
    if std::env::var_os(KEEP).is_none() {
        return;
    }
    let kept = fs::read_to_string(path()).unwrap_or_default();
    let (first, second) = kept.split_at(kept.find(SHIMLESS).unwrap_or(kept.len()));
    let page = if half.starts_with(SHIMLESS) { format!("{first}{half}") } else { format!("{half}{second}") };
    fs::write(path(), page).unwrap();
}

/// Where the time went, for who shortens it.
#[expect(clippy::print_stdout, reason = "as above")]
pub(super) fn slowest(took: &[(u64, &str)]) {
    println!("slowest, in ms: {:?}\n", took.iter().rev().take(8).collect::<Vec<_>>());
}

#[test]
fn the_page_says_what_the_table_asks_for() {
    let page = fs::read_to_string(path()).unwrap();
    let wanted: Vec<_> = super::rows().into_iter().map(|row| (row, row.wanted())).collect();
    let (first, second) = page.split_at(page.find(SHIMLESS).expect("the page has a second half"));
    assert_eq!(first, table(&wanted), "run scripts/ways-to-die");
    for (row, _) in wanted {
        assert!(
            second.contains(&format!("| `{}` |", row.name)),
            "`{}` is not there: run scripts/ways-to-die",
            row.name
        );
    }
}
