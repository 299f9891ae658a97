//! A completed job is forgotten whole, wherever the pass that does it is killed, and nothing else is.

use std::fs;
use std::path::Path;

use crate::delivery_sweep::killed_pass;
use crate::home::Home;
use crate::procs::until;

/// System calls by which a pass that forgets a job changes something.
const CALLS: [&str; 5] = ["flock", "write", "fsync", "rename", "unlink"];

#[test]
fn a_pass_killed_at_any_step_of_forgetting_leaves_nothing_behind_once_the_next_is_through() {
    let home = Home::new();
    let (mut nth, mut killed, mut cut) = (0, 0, 0);
    for call in CALLS {
        let mut count = 1;
        loop {
            nth += 1;
            let name = format!("job{nth}");
            home.run(&["run", "--forget-after", "1ms", "--name", &name, "--", "echo hi"]).expect(0);
            home.reaches(&name, "completed");
            let output = killed_pass(&home, call, count);
            killed += usize::from(output.code == 137);
            let entry = format!("[process.{name}]");
            let dir = home.state_dir().join("process").join(&name);
            cut += usize::from(!home.registry().contains(&entry) && dir.join("state.json").exists());
            let left = |dir: &Path| -> Vec<String> {
                let entries = fs::read_dir(dir).into_iter().flatten().flatten();
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
            };
            until(&format!("killed at {call} {count}: {name} is forgotten"), || {
                home.run(&["healthcheck"]);
                !home.registry().contains(&entry) && left(&dir).iter().all(|file| file == "lock" || file == "run")
            });
            assert_eq!(left(&dir.join("run")), Vec::<String>::new(), "killed at {call} {count}");
            assert_eq!(left(&home.state_dir().join("forgetting")), Vec::<String>::new(), "killed at {call} {count}");
            assert!(!home.state_dir().join(format!("log/{name}.log")).exists(), "killed at {call} {count}");
            if output.code != 137 {
                break;
            }
            count += 1;
        }
    }
    assert!(killed > 10 && cut > 0, "{killed} kills, {cut} of them between registry and state");
}

#[test]
fn what_is_registered_anew_after_a_cut_keeps_its_state() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let marks = home.state_dir().join("forgetting");
    fs::create_dir(&marks).unwrap();
    fs::write(marks.join("bot"), "").unwrap();
    home.run(&["healthcheck"]).expect(0);
    assert_eq!((home.state("bot"), marks.join("bot").exists()), ("running".to_owned(), false));
    fs::write(marks.join("bot"), "").unwrap();
    fs::write(marks.join("no name"), "").unwrap();
    home.write_registry(home.registry() + "\n[process.bad]\ncommand = 5\n");
    home.run(&["healthcheck"]).expect(78);
    assert!(marks.join("bot").exists() && home.state("bot") == "running", "what is not served may still be meant");
}
