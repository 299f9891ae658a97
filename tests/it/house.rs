//! Rules of the house that a machine can hold: who may depend on whom, how long things are, what is written down.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that compute only: no file, clock, environment, process or socket.
const PURE: [&str; 5] = ["model", "policy", "registry", "transfer", "view"];
/// Folders that touch the world; they may use the pure ones and each other.
const EFFECTS: [&str; 3] = ["os", "store", "alert"];
/// Files are read on a few screens.
const MOST_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(relative: &str) -> String {
    let path = root().join(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rust files below a folder, with their paths from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut left = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The part of a file that is compiled into the program.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// Lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    without_tests(text).lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The top folders or files of this crate that a file names.
fn uses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in code(text) {
        for part in line.split("crate::").skip(1) {
            match part.strip_prefix('{') {
                Some(group) => found.extend(group.split([',', '}']).map(|name| first_word(name.trim()))),
                None => found.push(first_word(part)),
            }
        }
    }
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Whether a line holds this path, and not only one that ends like it (`unix::` is not `nix::`).
fn names_it(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(|letter: char| letter.is_alphanumeric()))
}

#[test]
fn pure_folders_import_no_effect() {
    let forbidden = [
        "std::fs",
        "std::env",
        "std::process",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "std::thread",
        "std::os::fd",
        "std::os::unix::fs",
        "std::os::unix::process",
        "nix::",
        "sysinfo::",
        "fs2::",
        "lettre::transport",
        "SmtpTransport",
        "ureq::",
        "rustls::",
        "SystemTime",
        "Instant::now",
        "Utc::now",
        "Local::now",
    ];
    for folder in PURE {
        for (name, text) in sources(&format!("src/{folder}")) {
            for line in code(&text) {
                let hit = forbidden.iter().find(|word| names_it(line, word));
                assert!(hit.is_none(), "{name}: `{}` in `{}`", hit.unwrap(), line.trim());
                // Its constants are numbers; its functions are system calls.
                let calls =
                    line.split("libc::").skip(1).any(|rest| rest.starts_with(|letter: char| letter.is_lowercase()));
                assert!(!calls, "{name}: libc in `{}`", line.trim());
            }
        }
    }
}

#[test]
fn dependencies_point_down_from_drivers_to_effects_to_pure() {
    for (folders, allowed) in [
        (&PURE[..], &["error", "model", "policy", "registry", "transfer", "view"][..]),
        (&EFFECTS[..], &["error", "model", "policy", "registry", "view", "os", "store", "alert"][..]),
    ] {
        for folder in folders {
            for (name, text) in sources(&format!("src/{folder}")) {
                for used in uses(&text) {
                    assert!(allowed.contains(&used.as_str()), "{name} uses `crate::{used}`, which is above it");
                }
            }
        }
    }
}

#[test]
fn unsafe_code_stands_in_os_only() {
    for (name, text) in sources("src") {
        let has = code(&text).any(|line| line.contains("unsafe ") || line.contains("unsafe_code"));
        assert!(!has || name.starts_with("src/os/"), "{name}");
    }
}

#[test]
fn only_os_asks_which_platform_this_is() {
    for (name, text) in sources("src") {
        let asks = code(&text).any(|line| line.contains("target_os"));
        assert!(!asks || name.starts_with("src/os/") || name == "src/model/signal.rs", "{name}");
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    for folder in ["src", "tests"] {
        for (name, text) in sources(folder) {
            assert!(text.starts_with("//!"), "{name} has no header");
            assert!(text.lines().count() <= MOST_LINES, "{name} has {} lines", text.lines().count());
        }
    }
}

#[test]
fn functions_are_kept_short_by_clippy() {
    assert!(read("clippy.toml").contains("too-many-lines-threshold = 80"));
    assert!(read("Cargo.toml").contains("too_many_lines = \"deny\""));
}

#[test]
fn every_dependency_has_a_reason_above_it() {
    let manifest = read("Cargo.toml");
    let mut in_dependencies = false;
    let mut above = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
            assert!(above.starts_with('#'), "no reason above `{line}`");
        }
        above = line;
    }
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_path_named_in_the_maps_exists() {
    for map in ["AGENTS.md", "ARCHITECTURE.md"] {
        for word in quoted(&read(map)) {
            let looks_like_a_path = word.contains('/')
                && ["src/", "tests/", "scripts/", "bench/", "docs/", "systemd/", "launchd/", ".ci/"]
                    .iter()
                    .any(|start| word.starts_with(start))
                && !word.contains([' ', '*', '<', '{'])
                && !word.chars().any(|letter| letter.is_ascii_uppercase() && !word.ends_with(".md"));
            let path: PathBuf = root().join(word.split(':').next().unwrap());
            assert!(!looks_like_a_path || path.exists(), "{map} names `{word}`, which is not there");
        }
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = read("README.md");
    assert!(readme.contains("cargo run --release -- demo"));
    assert!(readme.contains("scripts/test"));
    for script in ["scripts/test", "scripts/build", ".ci/run", "bench/run"] {
        assert!(root().join(script).exists(), "{script}");
    }
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
}

#[test]
fn every_link_of_the_readme_leads_somewhere_and_all_of_the_manual_is_linked() {
    let readme = read("README.md");
    let headings: Vec<String> = readme
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')).map(anchor))
        .collect();
    let links: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for link in &links {
        match link.strip_prefix('#') {
            Some(to) => assert!(headings.iter().any(|heading| heading == to), "{link}"),
            None => assert!(link.contains("://") || root().join(link).exists(), "{link}"),
        }
    }
    for heading in readme.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(
            links.contains(&format!("#{}", anchor(heading)).as_str()),
            "`{heading}` is not in the list of the manual"
        );
    }
}

#[test]
fn every_defect_that_concerns_these_commands_has_a_test_with_its_number() {
    let tests: String = sources("tests").into_iter().map(|(_, text)| text).collect();
    let names: Vec<&str> = tests.lines().filter_map(|line| line.strip_prefix("fn ")).collect();
    for number in 1..=50 {
        let tag = format!("d{number:02}_");
        assert!(names.iter().any(|name| name.contains(&tag)), "no test for defect {number}");
    }
}

#[test]
fn no_test_is_switched_off() {
    for (name, text) in sources("tests").into_iter().chain(sources("src")) {
        assert!(!text.contains(concat!("#[ign", "ore")), "{name}");
    }
}
