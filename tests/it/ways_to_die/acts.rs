//! What happens to the programs of the corpus, beyond one signal from one murderer.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::row::Whom;
use super::scene::Scene;
use crate::home::finish;
use crate::procs::{alive, descendants, group as group_of, kill_together, signal, until};

/// A user who owns nothing.
const NOBODY: u32 = 65534;

/// Files that cannot be executed, each for a reason of its own.
pub(super) fn plant(scene: &Scene) {
    let home = &scene.home;
    home.script("bad-interpreter", "#!/nonexistent/interpreter\n");
    home.script("wrong-format", "neither a program nor a script\n");
    home.script("not-executable", "#!/bin/sh\n");
    fs::set_permissions(home.path("not-executable"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(home.path("directory")).unwrap();
    symlink("nothing", home.path("dangling")).unwrap();
    symlink("loop", home.path("loop")).unwrap();
}

/// A program that somebody is writing: a shell that lives as long as this home.
pub(super) fn hold_open(scene: &Scene) {
    fs::copy("/bin/true", scene.home.path("busy")).unwrap();
    let mut writer = scene.home.other_command("/bin/sh".as_ref());
    writer.args(["-c", "exec 3>>busy; echo >held; exec sleep 1000"]);
    drop(writer.spawn().unwrap()); // the home ends what carries its name
    until("somebody writes it", || scene.home.path("held").exists());
}

/// Started with its log on a disk of 64 KiB.
pub(super) fn full_log(scene: &Scene) {
    let log = scene.home.state_dir().join("log");
    fs::create_dir_all(&log).unwrap();
    let line = "mount -t tmpfs -o size=64k none \"$0\" && exec \"$@\"";
    let mut unshare = scene.home.other_command("unshare".as_ref());
    unshare.args(["--mount", "--propagation", "private", "/bin/sh", "-c", line]).arg(log);
    unshare.arg(scene.home.program()).args(["start", scene.name()]);
    let started = finish(unshare);
    assert!(started.code == 0 || scene.shimless, "{started:?}");
}

/// What the main process left lives on, as was asked for.
pub(super) fn the_child_lives(scene: &Scene) {
    until("its end is known", || {
        if scene.shimless {
            scene.pass();
        }
        scene.is_judged()
    });
    // Killed early, the shim leaves no program that could have made it.
    let child = scene.home.lines("child").first().map(|line| line.parse().unwrap());
    assert!(child.map_or(scene.shimless, alive), "the daemon was ended");
}

/// A signal from a process of that user, to a program of that user.
fn from_nobody(scene: &Scene, signal: &str) {
    if scene.is_ready() {
        scene.send(NOBODY, signal, &[scene.main()]);
    }
}

pub(super) fn killed_by_nobody(scene: &Scene) {
    from_nobody(scene, "KILL");
}

pub(super) fn asked_by_nobody(scene: &Scene) {
    from_nobody(scene, "TERM");
}

/// Signals one after the other; `between`: what is waited for before the next.
fn in_turn(scene: &Scene, signals: &[&str], between: fn(&Scene)) {
    if !scene.is_ready() {
        return;
    }
    for (index, name) in signals.iter().enumerate() {
        if index > 0 {
            between(scene);
        }
        scene.murder(Whom::Program, name);
    }
}

/// Waits until the kernel shows the program in one of these states.
fn becomes(scene: &Scene, states: &[char]) {
    let main = scene.main();
    until("it is stopped, or runs again", || {
        let stat = fs::read_to_string(format!("/proc/{main}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        scene.shimless || state.is_some_and(|state| states.contains(&state))
    });
}

pub(super) fn freeze_then_kill(scene: &Scene) {
    in_turn(scene, &["STOP", "KILL"], |scene| becomes(scene, &['T', 't']));
}

/// Stopped, continued, asked to end: one after the other, as the kernel delivers the lowest number first.
pub(super) fn freeze_then_term(scene: &Scene) {
    in_turn(scene, &["STOP", "CONT"], |scene| becomes(scene, &['T', 't']));
    if scene.home.path("ready").exists() {
        becomes(scene, &['S']);
        scene.murder(Whom::Program, "TERM");
    }
}

/// Asked to end, which it survives, then killed.
pub(super) fn stubborn(scene: &Scene) {
    in_turn(scene, &["TERM", "KILL"], |scene| scene.handled(1));
}

/// Asked to end, which it ignores; later it ends by itself.
pub(super) fn ignored_then_exit(scene: &Scene) {
    in_turn(scene, &["TERM"], |_| {});
    fs::write(scene.home.path("go"), "").unwrap();
}

pub(super) fn one_thread(scene: &Scene) {
    if scene.is_ready() {
        let thread = scene.file("thread");
        scene.send(0, "TERM", &[scene.main(), thread]);
    }
}

/// Everybody in the program's process group, which is not the shim's.
pub(super) fn group(scene: &Scene) {
    if scene.is_ready() {
        let main = scene.main();
        assert_eq!(group_of(main), main);
        scene.send(0, "KILL", &[-main]);
    }
}

/// Its child, not itself.
pub(super) fn murder_the_child(scene: &Scene) {
    if scene.is_ready() {
        let children = descendants(scene.main());
        scene.send(0, "TERM", &[*children.first().expect("it has a child")]);
    }
}

/// What put itself into the background.
pub(super) fn murder_the_daemon(scene: &Scene) {
    until("it is in the background", || {
        if scene.shimless {
            scene.pass();
        }
        scene.home.path("child").exists() && !alive(scene.main()) || scene.is_judged()
    });
    if !scene.is_judged() {
        scene.send(0, "KILL", &[scene.file("child")]);
    }
}

/// The program may go.
pub(super) fn goes(scene: &Scene) {
    if scene.is_ready() {
        fs::write(scene.home.path("go"), "").unwrap();
    }
}

/// Whoever has this path in his command line: the program, and not its shim.
pub(super) fn pkill(scene: &Scene) {
    if scene.is_ready() {
        let mut pkill = scene.home.other_command("pkill".as_ref());
        pkill.args(["-TERM", "-f"]).arg(scene.home.path("word"));
        finish(pkill);
    }
}

pub(super) fn frozen_then_stop(scene: &Scene) {
    if scene.is_ready() {
        signal(scene.main(), Signal::SIGSTOP);
        scene.run(&["stop", scene.name()]).expect(0);
    }
}

/// The program and its children, stopped first, so that none sees another's end.
pub(super) fn whole_tree(scene: &Scene) {
    if scene.is_ready() {
        let mut all = descendants(scene.main());
        all.push(scene.main());
        kill_together(&all);
    }
}

/// The shim sleeps while the program ends; nobody knows of it before a pass wakes the shim.
pub(super) fn shim_frozen(scene: &Scene) {
    if !scene.is_ready() {
        return;
    }
    if let Some(shim) = scene.shim() {
        signal(shim, Signal::SIGSTOP);
    }
    let main = scene.main();
    fs::write(scene.home.path("go"), "").unwrap();
    until("it is gone", || !alive(main));
    assert!(scene.shimless || !scene.is_judged(), "judged although the one who knows sleeps");
    scene.pass();
}

fn kill_shim(scene: &Scene) -> bool {
    let ready = scene.is_ready();
    if let Some(shim) = scene.shim().filter(|_| ready) {
        kill_together(&[shim]);
        scene.pass();
    }
    ready
}

pub(super) fn kill_shim_then(scene: &Scene) {
    if kill_shim(scene) {
        let main = scene.main();
        let state = scene.status()["state"].clone();
        assert!(
            scene.shimless || ["unsupervised", "running"].iter().any(|word| state == *word),
            "it is called {state}"
        );
        fs::write(scene.home.path("go"), "").unwrap();
        until("it is gone", || !PathBuf::from(format!("/proc/{main}")).exists());
        scene.pass();
    }
}

pub(super) fn kill_shim_then_kill(scene: &Scene) {
    if kill_shim(scene) {
        scene.end_it();
        scene.gone(scene.main());
    }
}

fn killed_both(scene: &Scene) -> bool {
    let ready = scene.is_ready();
    if ready {
        let both: Vec<i32> = scene.shim().into_iter().chain([scene.main()]).collect();
        kill_together(&both);
    }
    ready
}

pub(super) fn kill_both(scene: &Scene) {
    if killed_both(scene) {
        scene.pass();
    }
}

/// Shim and program are killed, and a bit flips in what is recorded of the run.
pub(super) fn damage_record(scene: &Scene) {
    if killed_both(scene) {
        let path = scene.home.state_dir().join(format!("process/{}/run/1.rec", scene.name()));
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        scene.pass();
    }
}

/// Shim and program die with the machine: the next pass sees another boot id.
pub(super) fn reboot(scene: &Scene) {
    if !killed_both(scene) {
        return;
    }
    let boot = scene.home.path("boot_id");
    fs::write(&boot, "11111111-2222-4333-8444-555555555555\n").unwrap();
    let line = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    let view = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", line, boot.to_str().unwrap()];
    *scene.view.borrow_mut() = view.map(str::to_owned).to_vec();
    scene.pass();
}

/// `deregister --stop`; history and log stay, so that who registers it again can ask.
pub(super) fn register_again(scene: &Scene) {
    if scene.is_ready() {
        let entry = scene.home.registry();
        scene.run(&["deregister", "--stop", scene.name()]).expect(0);
        assert_eq!(scene.run(&["status", scene.name()]).code, 4);
        scene.home.write_registry(entry);
    }
}

/// In a pid namespace of its own: shim and program are killed, and the next program gets the pid. It is neither taken for
/// the dead one nor signalled.
pub(super) fn pid_reuse(scene: &Scene) {
    let line = r#"
        mount -t proc proc /proc || exit 9
        "$0" start "$1" || exit 1
        while [ ! -e ready ]; do sleep 0.01; done
        read main <starts
        shim=$("$0" status --json "$1" | sed 's/.*"shim_pid":\([0-9]*\).*/\1/')
        kill -STOP $shim $main && kill -KILL $shim $main || exit 2
        while [ -e /proc/$main ]; do sleep 0.01; done
        tries=0
        until [ "$innocent" = $main ]; do
            [ "$innocent" ] && kill -KILL $innocent
            [ $((tries += 1)) -lt 200 ] || exit 3
            echo $((main - 1)) >/proc/sys/kernel/ns_last_pid || exit 4
            sleep 1000 & innocent=$!
        done
        "$0" status --json "$1" >reused.json
        "$0" healthcheck --quiet
        "$0" stop "$1"
        kill -0 $innocent || exit 5
        echo $innocent >innocent
    "#;
    let mut unshare = scene.home.other_command("unshare".as_ref());
    unshare.args(["--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "/bin/sh", "-c", line]);
    unshare.arg(scene.home.program()).arg(scene.name());
    let output = finish(unshare);
    assert!(output.code == 0 || scene.shimless, "{output:?}");
    if output.code == 0 {
        assert_eq!(scene.home.lines("innocent"), scene.home.lines("starts"), "its pid was not reused");
        let status: serde_json::Value = serde_json::from_str(&scene.home.lines("reused.json")[0]).unwrap();
        assert_eq!(status["processes"][0]["pid"], serde_json::Value::Null, "{status}");
    }
}
