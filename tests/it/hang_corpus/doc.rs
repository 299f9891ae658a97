//! The table as a page, `docs/hangs.md`, written by `scripts/hangs` after all rows were played.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::row::{Row, Want};
use super::{hung::HUNG, well::WELL};

/// Set by `scripts/hangs`: the page is written instead of being compared.
const KEEP: &str = "GUARDIAN_HANGS_KEEP";

const HEAD: &str = "# Hung, and not hung

Programs that live, and what guardian makes of each, as the tests ask of the real program. This page is written by
`scripts/hangs`; a test holds that it says what the table asks for. The rows are in `tests/it/hang_corpus/hung.rs` and
`tests/it/hang_corpus/well.rs`; modes of C programs are in `tests/it/hang_corpus/stuck.c`.
";

const HUNG_HEAD: &str = "
Each is called hung when it has shown no sign of progress for its limit, and the report says this of it (`…` is anything, such as
a number). The snapshot that is kept names the call that it waits in.
";

const WELL_HEAD: &str = "
None of them is ever called hung, in more than three times the limit. *sign*: what shows that it works.
";

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn page() -> String {
    let mut page = format!("{HEAD}\n## Hung: {}\n{HUNG_HEAD}\n", HUNG.len());
    page.push_str("| name | the program | waits in | the report |\n|---|---|---|---|\n");
    for Row { name, does, want, .. } in HUNG {
        let Want::Hung { says, call } = want else { panic!("{name} is no hung one") };
        let call = if *call == "T" { "–".to_owned() } else { format!("`{call}`") };
        writeln!(page, "| `{name}` | {} | {call} | {} |", cell(does), cell(says)).unwrap();
    }
    write!(page, "\n## Not hung: {}\n{WELL_HEAD}\n", WELL.len()).unwrap();
    page.push_str("| name | the program | watched by | sign |\n|---|---|---|---|\n");
    for Row { name, does, watched, want, .. } in WELL {
        let Want::Well(sign) = want else { panic!("{name} is no one that works") };
        let watched = if watched.is_empty() { "–".to_owned() } else { format!("`{}`", watched.join(" ")) };
        writeln!(page, "| `{name}` | {} | {watched} | {} |", cell(does), sign.cell()).unwrap();
    }
    page
}

#[test]
fn the_page_says_what_the_corpus_of_hangs_asks_for() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hangs.md"));
    if std::env::var_os(KEEP).is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), page(), "run scripts/hangs");
}
