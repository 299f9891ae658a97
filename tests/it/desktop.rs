//! The `desktop` sink of root, on real session buses: a bus daemon, `notify-send`, and a server that takes notifications.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::home::{Home, finish, plain_user};

#[test]
fn root_tells_everybody_who_is_logged_in_as_that_user_and_waits_for_somebody_where_nobody_is() {
    let mut home = Home::new();
    home.set_env("HUSH", "hush-hush");
    home.write_registry("[sinks.s]\ntype = 'desktop'\ntimeout = '30s'\n");
    let user = plain_user();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/desktop");
    let mut unshare = home.other_command("unshare".as_ref());
    unshare.args(["--mount", "--propagation", "private", "/bin/sh"]).arg(here.join("session"));
    unshare.args([user.uid.to_string(), user.gid.to_string()]).arg(here.join("screen.py")).arg(home.path(""));
    unshare.arg(home.program()).args(["alerts", "test", "s"]);
    let ran = finish(unshare).expect(0);
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap_or_default();

    let nobody = read("nobody");
    assert!(nobody.contains("no user has a session bus in `/run/user`") && nobody.ends_with("exit 1\n"), "{nobody}");
    let (one, trouble) = (read("one"), read("trouble"));
    assert!(one.contains("it is on the screen") && one.ends_with("exit 0\n"), "{one} {trouble} {ran:?}");
    let shown = read("screen");
    let shown: Vec<Value> = shown.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shown.len(), 2, "{shown:?} {trouble}");
    assert_eq!(shown[0]["uid"], user.uid.as_raw());
    assert_eq!((&shown[0]["app"], &shown[0]["urgency"]), (&Value::from("guardian"), &Value::from(1)));
    assert!(shown[0]["title"].as_str().unwrap().starts_with("[guardian]"), "{shown:?}");
    let environment = shown[0]["environment"].as_object().unwrap();
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert_eq!(names, ["DBUS_SESSION_BUS_ADDRESS", "HOME", "PATH", "XDG_RUNTIME_DIR"], "root's own may hold secrets");
    assert_eq!(environment["HOME"], user.dir.to_str().unwrap());

    let two = read("two");
    assert!(two.contains("did not take") && two.contains("user 4242: "), "a test names whom it did not reach: {two}");
    assert!(!two.contains("4343") && !two.contains(&user.name), "{two}");
}
