//! The registry on disk, with real files.

use std::fs::{self, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::registry::EXAMPLE;

struct Home {
    dir: tempfile::TempDir,
    paths: Paths,
}

const GOOD: &str = "[process.a]\nshell = 'a'\n";

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    let paths = Paths { registry: root.join("registry.toml"), state: root.join("state"), home: Some(root) };
    fs::create_dir(&paths.state).unwrap();
    Home { dir, paths }
}

impl Home {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let home = home();
        home.write(text);
        home
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.paths.registry, text).unwrap();
        self.mode(0o600);
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(&self.paths.registry, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Loaded {
        load(&self.paths, Some(self.dir.path())).unwrap()
    }

    fn refused(&self) -> Error {
        let error = load(&self.paths, None).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::Refused, "registry_untrusted"), "{error}");
        error
    }

    fn names(&self) -> Vec<String> {
        self.load().registry.processes.keys().map(ToString::to_string).collect()
    }

    fn update(&self, edit: impl FnOnce(&str) -> String) -> Result<Updated, Error> {
        update(&self.paths, None, |text| Ok(edit(text)))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.paths.registry).unwrap()
    }
}

#[test]
fn no_file_is_an_empty_registry_that_says_so() {
    let loaded = home().load();
    assert_eq!((loaded.source, loaded.registry), (Source::Missing, Registry::default()));
}

#[test]
fn a_file_that_others_may_write_is_refused_with_the_way_out() {
    let home = Home::with(GOOD);
    for mode in [0o660, 0o606, 0o666, 0o620] {
        home.mode(mode);
        assert!(home.refused().hint.starts_with("chmod go-w "), "{mode:o}");
    }
    for mode in [0o600, 0o644, 0o400] {
        home.mode(mode);
        assert_eq!(home.names(), ["a"], "{mode:o}");
    }
}

#[test]
fn a_directory_that_everybody_may_write_is_refused_unless_it_is_sticky() {
    let home = Home::with(GOOD);
    let mode = |mode| fs::set_permissions(home.dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    assert!(home.refused().hint.starts_with("chmod o-w "));
    mode(0o1777);
    assert_eq!(home.names(), ["a"]);
    mode(0o700);
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting_for_it() {
    let home = home();
    fs::create_dir(&home.paths.registry).unwrap();
    assert!(home.refused().message.contains("a directory"));
    fs::remove_dir(&home.paths.registry).unwrap();
    nix::unistd::mkfifo(&home.paths.registry, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(home.refused().message.contains("a fifo"));
}

#[test]
fn a_link_is_followed_only_to_a_file_that_is_trusted_itself() {
    let home = home();
    let target = home.dir.path().join("dotfiles.toml");
    symlink(&target, &home.paths.registry).unwrap();
    assert_eq!(
        load(&home.paths, None).unwrap_err().code,
        Code::System,
        "a link that leads nowhere is not an empty registry"
    );
    fs::write(&target, GOOD).unwrap();
    home.mode(0o666);
    home.refused();
    home.mode(0o600);
    assert_eq!(home.names(), ["a"]);
    home.update(|text| format!("{text}\n[process.b]\nshell = 'b'\n")).unwrap();
    assert!(fs::symlink_metadata(&home.paths.registry).unwrap().is_symlink(), "the link stays a link");
    assert!(fs::read_to_string(&target).unwrap().contains("process.b"));
}

#[test]
fn a_file_that_is_not_toml_is_answered_with_the_last_good_version() {
    let broken: [&[u8]; 4] = [b"\xff\xfe", b"{\"a\":1}", b"[process.a]\nshell = '", b"\x7fELF\0"];
    for text in broken {
        let home = Home::with(text);
        let loaded = home.load();
        assert_eq!(loaded.source, Source::Unknown, "{text:?}");
        assert!(!loaded.problems.is_empty() && loaded.registry.processes.is_empty());
        home.write(GOOD);
        home.load();
        home.write(text);
        let loaded = home.load();
        assert_eq!(loaded.source, Source::LastGood, "{text:?}");
        assert_eq!(loaded.registry.processes.len(), 1);
        assert_eq!(loaded.error(&home.paths).unwrap().code, Code::Config);
    }
}

#[test]
fn a_byte_that_is_not_utf8_is_reported_at_its_place() {
    let problem = Home::with(b"# \xc3\xa4\n# \xc3\xa4\xff").load().problems.remove(0);
    assert_eq!((problem.line, problem.column), (2, 4));
}

#[test]
fn a_registry_with_a_bad_entry_serves_the_others_and_is_not_remembered() {
    let home = Home::with(format!("{GOOD}[process.b]\nshell = 1\n"));
    assert_eq!(home.names(), ["a"]);
    assert!(!home.paths.registry_last_good().exists());
    assert!(!home.paths.registry_cache().exists());
}

#[test]
fn the_last_good_copy_is_for_its_owner_only() {
    let home = Home::with(GOOD);
    home.load();
    assert_eq!(fs::metadata(home.paths.registry_last_good()).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Makes the cache believe that the file has settled: `put` is given a later moment.
fn cached(home: &Home) -> PathBuf {
    let meta = fs::metadata(&home.paths.registry).unwrap();
    let registry = home.load().registry;
    let later = crate::model::time::Wall(clock::wall().unwrap().0 + 60_000);
    registry_cache::put(&home.paths.registry_cache(), &meta, Some(home.dir.path()), &registry, later);
    home.paths.registry_cache()
}

#[test]
fn the_cache_serves_the_same_registry_as_the_text() {
    let without_secrets = EXAMPLE
        .replace("url = \"https://example.org/hook\"", "url_file = \"~/hook\"")
        .replace("header = { X-Team = \"ops\" }", "");
    let home = Home::with(&without_secrets);
    let fresh = home.load().registry;
    let meta = fs::metadata(&home.paths.registry).unwrap();
    let cache = cached(&home);
    assert_eq!(registry_cache::get(&cache, &meta, Some(home.dir.path())), Some(fresh));
    assert_eq!(registry_cache::get(&cache, &meta, None), None, "another home expands `~/` otherwise");
}

#[test]
fn a_registry_with_a_secret_in_its_text_is_not_kept_in_the_state() {
    for (sink, is_kept) in [
        ("type = 'discord'\nurl_file = '/hush'", true),
        ("type = 'discord'\nurl = 'https://hush'", false),
        ("type = 'webhook'\nurl_file = '/hush'\nheader = { Authorization = 'hush' }", false),
        ("type = 'telegram'\nchat = '1'\ntoken = 'hush'", false),
        ("type = 'ntfy'\ntopic = 'hush'", false),
    ] {
        let home = Home::with(format!("{GOOD}\n[sinks.s]\n{sink}\n"));
        cached(&home);
        assert_eq!(home.paths.registry_cache().exists(), is_kept, "{sink}");
    }
    for secret in
        ["[healthcheck]\nping_url = 'https://hush'\n", "[process.p]\nshell = 'x'\nping_url = 'https://hush'\n"]
    {
        let home = Home::with(format!("{GOOD}\n{secret}"));
        cached(&home);
        assert!(!home.paths.registry_cache().exists(), "{secret}");
    }
}

#[test]
fn a_file_that_has_just_changed_is_not_cached() {
    let home = Home::with(GOOD);
    home.load();
    assert!(!home.paths.registry_cache().exists());
}

#[test]
fn an_edit_that_keeps_size_and_mtime_is_seen() {
    let home = Home::with(GOOD);
    cached(&home);
    let mtime = fs::metadata(&home.paths.registry).unwrap().modified().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    home.write(GOOD.replace(".a]", ".z]"));
    fs::File::options()
        .write(true)
        .open(&home.paths.registry)
        .unwrap()
        .set_times(FileTimes::new().set_modified(mtime))
        .unwrap();
    assert_eq!(home.names(), ["z"]);
}

#[test]
fn a_damaged_cache_is_a_miss() {
    let home = Home::with(GOOD);
    let cache = cached(&home);
    let whole = fs::read(&cache).unwrap();
    let meta = fs::metadata(&home.paths.registry).unwrap();
    for cut in 0..whole.len() {
        fs::write(&cache, &whole[..cut]).unwrap();
        assert_eq!(registry_cache::get(&cache, &meta, Some(home.dir.path())), None, "cut at {cut}");
        let mut flipped = whole.clone();
        flipped[cut] ^= 0x10;
        fs::write(&cache, flipped).unwrap();
        assert_eq!(registry_cache::get(&cache, &meta, Some(home.dir.path())), None, "flipped at {cut}");
    }
    assert_eq!(home.names(), ["a"]);
}

#[test]
fn an_update_makes_a_private_file_and_keeps_the_mode_of_an_old_one() {
    let home = home();
    let mode = || fs::metadata(&home.paths.registry).unwrap().permissions().mode() & 0o777;
    let updated = home.update(|_| GOOD.to_owned()).unwrap();
    assert!(updated.changed && updated.registry.processes.len() == 1);
    assert_eq!(mode(), 0o600);
    home.mode(0o640);
    home.update(|text| format!("{text}# more\n")).unwrap();
    assert_eq!(mode(), 0o640);
    assert!(!home.update(str::to_owned).unwrap().changed);
}

#[test]
fn an_update_makes_the_directories_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b");
    let paths = Paths { registry: root.join("c/registry.toml"), state: root.join("s"), home: None };
    update(&paths, None, |_| Ok(GOOD.to_owned())).unwrap();
    assert_eq!(fs::metadata(root.join("c")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_update_that_would_add_a_problem_is_refused_and_old_problems_are_not_in_its_way() {
    let bad = "[process.old]\nshell = 1\n";
    let home = Home::with(bad);
    let error = home.update(|text| format!("{text}[process.new]\nshell = 2\n")).unwrap_err();
    assert_eq!((error.code, error.kind), (Code::Config, "registry_invalid"));
    assert!(error.message.contains("process `new`") && !error.message.contains("`old`"), "{}", error.message);
    assert_eq!(home.text(), bad);
    let updated = home.update(|text| format!("# moved\n{text}{GOOD}")).unwrap();
    assert_eq!((updated.problems.len(), updated.registry.processes.len()), (1, 1));
}

#[test]
fn an_update_of_what_is_not_toml_is_refused_with_every_problem() {
    let home = Home::with("a = \nb = \n");
    let error = home.update(|_| GOOD.to_owned()).unwrap_err();
    assert_eq!(error.code, Code::Config);
    assert!(error.message.contains(":1:") && error.message.contains(":2:"), "{}", error.message);
    assert_eq!(home.text(), "a = \nb = \n");
}

#[test]
fn twenty_updates_at_once_all_arrive() {
    let home = home();
    std::thread::scope(|scope| {
        for n in 0..20 {
            let home = &home;
            scope.spawn(move || home.update(|text| format!("{text}[process.p{n}]\nshell = 'x'\n")).unwrap());
        }
    });
    assert_eq!(home.load().registry.processes.len(), 20);
}
