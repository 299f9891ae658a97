//! Edits keep every byte that they are not about.

use proptest::prelude::*;

use super::*;
use crate::model::spec::Command;
use crate::registry::show;
use crate::registry::value::Value;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn draft(keys: &[(&'static str, Value)]) -> Draft {
    let mut draft = Draft::default();
    keys.iter().for_each(|(key, value)| draft.set(key, value.clone()));
    draft
}

fn shell(line: &str) -> Draft {
    draft(&[("shell", Value::Text(line.to_owned()))])
}

fn put(text: &str, at: &str, draft: &Draft) -> Edited {
    insert(text, &name(at), draft, Replace::Allow, &Context::default()).unwrap()
}

const TEXT: &str = "\
# top of the file

[defaults] # d
grace   =  '10s'

# about a
[process.a] # the first
# how it runs
shell = 'a' # yes
grace = '5s'
# grace = '6s'

# about b
[process.b]
command = [
  'x', # program
  'y',
]
[process.b.env]
K = 'v'

# the end
";

#[test]
fn a_new_process_is_added_at_the_end_and_nothing_else_changes() {
    let edited = put(TEXT, "web.1", &shell("w"));
    assert_eq!(edited.change, Change::Added);
    assert_eq!(edited.text, format!("{TEXT}\n[process.\"web.1\"]\nshell = \"w\"\n"));
    assert_eq!(put("", "a", &shell("w")).text, "[process.a]\nshell = \"w\"\n");
    assert_eq!(put("[defaults]", "a", &shell("w")).text, "[defaults]\n\n[process.a]\nshell = \"w\"\n");
}

#[test]
fn a_changed_process_keeps_its_place_its_comments_and_what_stays_the_same() {
    let edited = put(TEXT, "a", &draft(&[("shell", Value::Text("a2".into())), ("target", Value::Text("exit".into()))]));
    assert_eq!(edited.change, Change::Replaced);
    let want = TEXT.replace("shell = 'a' # yes\ngrace = '5s'\n", "shell = \"a2\" # yes\ntarget = \"exit\"\n");
    assert_eq!(edited.text, want);
}

#[test]
fn a_process_that_changes_from_shell_to_command_keeps_the_comment_above() {
    let edited = put(TEXT, "a", &draft(&[("command", Value::Texts(vec!["a".into()]))]));
    assert!(edited.text.contains("[process.a] # the first\n# how it runs\ncommand = [\"a\"]\n"), "{}", edited.text);
}

#[test]
fn the_same_spec_written_otherwise_changes_nothing() {
    let same = draft(&[("shell", Value::Text("a".into())), ("grace", Value::Text("5000ms".into()))]);
    let edited = insert(TEXT, &name("a"), &same, Replace::Refuse, &Context::default()).unwrap();
    assert_eq!(edited, Edited { text: TEXT.to_owned(), change: Change::None });
}

#[test]
fn another_spec_is_refused_without_replace_and_the_keys_are_named() {
    let error = insert(TEXT, &name("a"), &shell("other"), Replace::Refuse, &Context::default()).unwrap_err();
    assert_eq!(error, EditError::Differs { name: name("a"), keys: vec!["shell", "grace"] });
    assert!(error.hint().contains("--replace"));
}

#[test]
fn a_draft_that_is_not_valid_is_refused() {
    let bad = draft(&[("shell", Value::Text("a".into())), ("grace", Value::Text("480".into()))]);
    let error = insert("", &name("a"), &bad, Replace::Allow, &Context::default()).unwrap_err();
    assert_eq!(error.to_string(), "`grace`: duration \"480\" has no unit");
    assert!(error.hint().contains("`480m`"));
}

#[test]
fn a_removed_process_takes_its_own_comment_along_and_leaves_the_next_ones() {
    let edited = remove(TEXT, &name("a")).unwrap();
    assert_eq!(edited.change, Change::Removed);
    assert_eq!(
        edited.text,
        TEXT.replace("\n# about a\n[process.a] # the first\n# how it runs\nshell = 'a' # yes\ngrace = '5s'\n", "")
    );
    let both = remove(&edited.text, &name("b")).unwrap().text;
    assert_eq!(both, "# top of the file\n\n[defaults] # d\ngrace   =  '10s'\n# grace = '6s'\n\n# the end\n");
}

#[test]
fn removing_what_is_not_there_changes_nothing() {
    assert_eq!(remove(TEXT, &name("zzz")).unwrap(), Edited { text: TEXT.to_owned(), change: Change::None });
}

#[test]
fn a_table_header_inside_a_string_is_not_one() {
    let text = "[process.a]\nshell = '''\n[process.b]\nshell = 1\n'''\n\n[process.b]\nshell = 'b'\n";
    assert_eq!(remove(text, &name("b")).unwrap().text, "[process.a]\nshell = '''\n[process.b]\nshell = 1\n'''\n");
    assert_eq!(remove(text, &name("a")).unwrap().text, "[process.b]\nshell = 'b'\n");
}

#[test]
fn forms_that_are_a_persons_own_are_refused_with_their_line() {
    for text in [
        "[process]\na = { shell = 'a' }\n",
        "x = 1\nprocess.a.shell = 'a'\n",
        "[process.a]\nshell = 'a'\n[process.b]\nshell = 'b'\n[process.a.env]\nK = 'v'\n",
    ] {
        let error = remove(text, &name("a")).unwrap_err();
        assert!(matches!(error, EditError::Form { .. }), "{text}: {error}");
    }
    assert!(matches!(remove("[process", &name("a")), Err(EditError::NotToml(_))));
    assert!(insert("process = {}\n", &name("a"), &shell("a"), Replace::Allow, &Context::default()).is_err());
}

#[test]
fn dos_line_ends_and_the_byte_order_mark_stay() {
    let text = "\u{feff}# c\r\n[process.a]\r\nshell = 'a' # c\r\ngrace = '5s'\r\n\r\n[process.b]\r\nshell = 'b'\r\n";
    assert_eq!(put(text, "a", &shell("n")).text, text.replace("'a'", "\"n\"").replace("grace = '5s'\r\n", ""));
    let left = remove(text, &name("a")).unwrap().text;
    assert_eq!(left, "\u{feff}# c\r\n\r\n[process.b]\r\nshell = 'b'\r\n");
}

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(
            proptest::sample::select(vec![
                "'",
                "\"",
                "'''",
                "\"\"\"",
                "\\",
                "\n",
                "\r\n",
                "\r",
                "\t",
                "\u{1}",
                "\u{7f}",
                "\u{85}",
                "😀",
                "a",
                "[process.b]",
                "# c",
                "\\n",
                "$(x)",
                " ",
                "\u{2028}",
                "\u{feff}",
            ]),
            0..8
        )
        .prop_map(|parts| parts.concat()),
        "[^\u{0}]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arguments_come_back_byte_for_byte(program in "[a-z/]{1,8}", rest in proptest::collection::vec(argument(), 0..5)) {
        let argv: Vec<String> = std::iter::once(program).chain(rest).collect();
        let text = put(TEXT, "new", &draft(&[("command", Value::Texts(argv.clone()))])).text;
        let parsed = parse(&text, &Context::default());
        prop_assert_eq!(&parsed.problems, &[]);
        prop_assert_eq!(&parsed.registry.processes[&name("new")].spec.command, &Command::Argv(argv.clone()));
        let shown = show::show(&name("new"), &parsed.registry.processes[&name("new")].spec);
        let again = parse(&shown, &Context::default());
        prop_assert_eq!(&again.registry.processes[&name("new")].spec.command, &Command::Argv(argv.clone()));
        let replaced = put(TEXT, "b", &draft(&[("command", Value::Texts(argv.clone()))])).text;
        let parsed = parse(&replaced, &Context::default());
        prop_assert_eq!(&parsed.registry.processes[&name("b")].spec.command, &Command::Argv(argv));
        prop_assert!(replaced.starts_with(&TEXT[..TEXT.find("# about b").unwrap()]));
        prop_assert!(replaced.ends_with("\n# the end\n"));
    }

    #[test]
    fn adding_and_removing_leaves_the_text_as_it_was(line in argument(), head in proptest::sample::select(vec!["", TEXT, "# only a comment\n", "[process.b]\nshell = 'b'\n"])) {
        prop_assume!(!line.trim().is_empty());
        let added = put(head, "new", &shell(&line)).text;
        prop_assert_eq!(remove(&added, &name("new")).unwrap().text, head);
    }
}
