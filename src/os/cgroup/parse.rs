//! What the files of control groups say. Text in, numbers out; a form that is not known is `None`.

/// Controllers and group of a line of `/proc/PID/cgroup`.
pub(super) fn membership(line: &str) -> Option<(&str, &str)> {
    line.split_once(':')?.1.split_once(':')
}

/// The group of a process in the unified hierarchy, else in systemd's own, going by its `/proc/PID/cgroup`.
pub(super) fn unit(text: &str) -> Option<&str> {
    let of = |wanted: &str| {
        let found = text.lines().filter_map(membership).find(|(controllers, _)| *controllers == wanted);
        found.map(|(_, group)| group).filter(|group| *group != "/")
    };
    of("").or_else(|| of("name=systemd"))
}

/// The value after `key` in a file of `key value` lines, such as `memory.events`.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Those of `wanted` that stand in a list such as `cgroup.controllers`.
pub(super) fn listed<'a>(text: &str, wanted: &[&'a str]) -> Vec<&'a str> {
    let has = |controller: &&&str| text.split_ascii_whitespace().any(|listed| listed == **controller);
    wanted.iter().filter(has).copied().collect()
}

/// Pids in a file such as `cgroup.procs`. One that lives in another pid namespace shows as 0 and is left out.
pub(super) fn pids(text: &str) -> impl Iterator<Item = i32> {
    text.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_counted_by_its_whole_key_in_both_versions() {
        let v2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        let old = "oom_kill_disable 0\nunder_oom 0\n";
        let cases = [(v2, Some(2)), (v1, Some(4)), (old, None), ("", None), ("oom_kill x", None)];
        for (text, want) in cases {
            assert_eq!(keyed(text, "oom_kill"), want, "{text}");
        }
    }

    #[test]
    fn only_controllers_that_are_there_are_listed_and_a_part_of_a_name_is_none() {
        assert_eq!(
            listed("cpuset cpu io memory hugetlb pids\n", &["memory", "pids", "cpu"]),
            ["memory", "pids", "cpu"]
        );
        assert_eq!(listed("cpuset hugetlb\n", &["memory", "cpu"]), Vec::<&str>::new());
    }

    #[test]
    fn the_unit_is_that_of_the_unified_hierarchy_or_else_of_systemds_own() {
        let cases = [
            (
                "0::/user.slice/user-7.slice/user@7.service/x.scope\n",
                Some("/user.slice/user-7.slice/user@7.service/x.scope"),
            ),
            ("4:memory:/m\n1:name=systemd:/system.slice/a.service\n0::/\n", Some("/system.slice/a.service")),
            ("4:memory:/m\n0::/\n", None),
        ];
        for (text, want) in cases {
            assert_eq!(unit(text), want, "{text}");
        }
    }

    #[test]
    fn processes_of_another_pid_namespace_are_not_pids() {
        assert_eq!(pids("12\n0\n7\n").collect::<Vec<_>>(), [12, 7]);
    }
}
