//! What is read from a record that is whole, torn, or of a later version.

use super::*;
use crate::model::time::{BootId, Identity, Stamp, Wall};

fn shim() -> Vec<u8> {
    let who = Identity { pid: 7, started: 9, boot: BootId::new("b").unwrap(), unique: None };
    let mut bytes = serde_json::to_vec(&Line::shim(who.clone(), None)).unwrap();
    bytes.push(b'\n');
    let at = Stamp { wall: Wall(1), boot_ms: 2, boot: BootId::new("b").unwrap() };
    bytes.extend(serde_json::to_vec(&Line::Main { who, at }).unwrap());
    bytes.push(b'\n');
    bytes
}

#[test]
fn a_torn_last_line_is_dropped_and_the_rest_is_kept() {
    let mut bytes = shim();
    bytes.extend(br#"{"end":{"end":{"sta"#);
    let Recorded::Read(record) = parse(&bytes) else { panic!("not read") };
    assert!(record.main.is_some() && record.end.is_none());
}

#[test]
fn a_torn_earlier_line_makes_the_record_unreadable_and_never_empty() {
    let mut bytes = b"{\"sh\n".to_vec();
    bytes.extend(shim());
    assert!(matches!(parse(&bytes), Recorded::Unreadable(why) if why.starts_with("line 1")));
}

#[test]
fn a_line_of_a_later_version_is_passed_over() {
    let mut bytes = shim();
    bytes.extend(b"{\"moon_phase\":{\"x\":1}}\n");
    assert!(matches!(parse(&bytes), Recorded::Read(record) if record.main.is_some()));
}

#[test]
fn an_end_of_an_earlier_version_is_read_with_its_figures_and_one_without_them_as_not_known() {
    let end = r#""status":{"code":0},"at":{"wall_ms":1,"boot_ms":2,"boot":"b"},"leftover":true,"log_bytes":null"#;
    for (figures, cpu) in [(r#""user_ms":3,"system_ms":4,"max_rss_kib":5,"#, Some(7)), ("", None)] {
        let line = format!("{{\"end\":{{\"end\":{{{figures}{end}}},\"more_signals\":0}}}}\n");
        let Recorded::Read(record) = parse(line.as_bytes()) else { panic!("not read: {line}") };
        assert_eq!(record.end.unwrap().cpu_ms(), cpu);
    }
}
