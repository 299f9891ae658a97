//! Which commit a directory is checked out at, read from the repository's own files: no program is run for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::metadata::Git;
use crate::os::read::regular;

/// Directories that are looked into upwards.
const UP: usize = 64;
/// Largest file of a repository that is read, in bytes.
const READ_MAX: u64 = 16 << 20;

/// The repository that `dir` lies in; `None`: none can be seen. Whether it is dirty stays unknown.
#[must_use]
pub fn find(dir: &Path) -> Option<Git> {
    dir.ancestors().take(UP).find_map(|root| {
        let own = directory(root)?;
        let (branch, commit) = head(&own);
        Some(Git { root: root.to_string_lossy().into_owned(), commit, branch, dirty: None })
    })
}

/// Whether working tree and repository are this user's own. What is configured in a repository git executes (filters, for
/// example), so that in anybody else's it must not be run, whatever git itself was told to trust.
#[must_use]
pub fn is_own(root: &Path) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    let is_mine = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.uid() == me);
    let repository = |own: PathBuf| is_mine(&own) && is_mine(&common(&own).join("config"));
    is_mine(root) && is_mine(&root.join(".git")) && directory(root).is_some_and(repository)
}

/// The directory of the repository whose working tree is `root`: `.git`, or what the file `.git` names.
fn directory(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    let kind = fs::metadata(&git).ok()?;
    if kind.is_dir() {
        return git.join("HEAD").is_file().then_some(git);
    }
    let text = read(&git)?;
    Some(root.join(text.strip_prefix("gitdir:")?.trim()))
}

fn read(path: &Path) -> Option<String> {
    String::from_utf8(regular(path, READ_MAX).ok()?).ok()
}

/// Branch and commit that are checked out.
fn head(own: &Path) -> (Option<String>, Option<String>) {
    let Some(head) = read(&own.join("HEAD")) else { return (None, None) };
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref:").map(str::trim) else { return (None, hash(head)) };
    let common = common(own);
    // A name that leads out of the repository is none.
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return (None, None);
    }
    let loose = [own, &common].iter().find_map(|place| hash(read(&place.join(name))?.trim()));
    let commit = loose.or_else(|| packed(&read(&common.join("packed-refs"))?, name));
    (name.strip_prefix("refs/heads/").map(str::to_owned), commit)
}

/// A working tree beside the main one shares branches and configuration of that.
fn common(own: &Path) -> PathBuf {
    read(&own.join("commondir")).map_or_else(|| own.to_owned(), |text| own.join(text.trim()))
}

fn packed(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(_, of)| *of == name).find_map(|(commit, _)| hash(commit))
}

fn hash(text: &str) -> Option<String> {
    let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn head_is_read_loose_packed_and_detached_and_never_guessed() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);
        let cases: [Case; 6] = [
            ("ref: refs/heads/main\n", &[("refs/heads/main", A)], Some("main"), Some(A)),
            ("ref: refs/heads/f/x\n", &[("packed-refs", &format!("# x\n{A} refs/heads/f/x\n"))], Some("f/x"), Some(A)),
            (&format!("{A}\n"), &[], None, Some(A)),
            ("ref: refs/heads/new\n", &[], Some("new"), None),
            ("ref: ../../../etc/passwd\n", &[], None, None),
            ("ref: refs/heads/main\n", &[("refs/heads/main", "no hash at all")], Some("main"), None),
        ];
        for (head, files, branch, commit) in cases {
            let dir = tempfile::tempdir().unwrap();
            let git = dir.path().join(".git");
            for (name, content) in [&[("HEAD", head)], files].concat() {
                fs::create_dir_all(git.join(name).parent().unwrap()).unwrap();
                fs::write(git.join(name), content).unwrap();
            }
            let below = dir.path().join("a/b");
            fs::create_dir_all(&below).unwrap();
            let found = find(&below).unwrap();
            assert_eq!((found.branch.as_deref(), found.commit.as_deref()), (branch, commit), "{head}");
            assert_eq!((found.root.as_str(), found.dirty), (dir.path().to_str().unwrap(), None));
        }
    }
}
