//! What follows from looks, one after the other.

use super::*;
use crate::model::time::{BootId, Wall};
use crate::model::watch::Subject;

fn spec(action: bool) -> WatchSpec {
    WatchSpec {
        subject: Subject::Command { line: "x".to_owned() },
        every: Duration::ZERO,
        timeout: Duration::from_secs(10),
        after: 2,
        action: action.then(|| "mend".to_owned()),
        action_timeout: Duration::from_secs(30),
        max_failures: 2,
        window: Duration::from_secs(86_400),
        breaker_cooldown: Duration::from_secs(900),
        group: None,
        notify: Vec::new(),
        severity: Severity::Warning,
    }
}

fn at(seconds: u64) -> Stamp {
    let wall = Wall(1_795_000_000_000 + i64::try_from(seconds).unwrap() * 1000);
    Stamp { wall, boot_ms: 1_000_000 + seconds * 1000, boot: BootId::new("b").unwrap() }
}

/// A watch that is looked at again and again; actions are run and do not help by themselves.
struct Play {
    name: Name,
    spec: WatchSpec,
    state: WatchState,
}

impl Play {
    fn new(spec: WatchSpec) -> Self {
        Self { name: "w".parse().unwrap(), spec, state: WatchState::new("command", &at(0)) }
    }

    /// One look: `o` well, `b` bad, `u` not known. What was told, and `!` where its action was run.
    fn look(&mut self, seconds: u64, what: char) -> Vec<String> {
        let finding = match what {
            'o' => Finding::Ok,
            'b' => Finding::Bad("down".to_owned()),
            _ => Finding::Unknown("no idea".to_owned()),
        };
        let now = at(seconds);
        let look = Look { name: &self.name, spec: &self.spec, state: &self.state, now: &now };
        let decision = decide(look, &Judged::of(finding));
        self.state = decision.state;
        let mut told: Vec<String> = decision.act.then(|| "!".to_owned()).into_iter().collect();
        if decision.act {
            let look = Look { name: &self.name, spec: &self.spec, state: &self.state, now: &now };
            self.state = acted(look, true, "done".to_owned());
        }
        told.extend(self.state.pending.drain(..).map(|event| event.kind.word().to_owned()));
        told
    }

    fn looks(&mut self, from: u64, what: &str) -> Vec<Vec<String>> {
        (from..).step_by(60).zip(what.chars()).map(|(seconds, what)| self.look(seconds, what)).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn trouble_is_told_once_after_so_many_looks_and_its_end_once() {
    let mut play = Play::new(spec(false));
    let told = play.looks(0, "oboobbbbbo");
    let told: Vec<Vec<&str>> = told.iter().map(|told| told.iter().map(String::as_str).collect()).collect();
    let nothing = || NOTHING.to_vec();
    let mut want = vec![nothing(); 10];
    want[5] = vec!["failed"];
    want[9] = vec!["recovered"];
    assert_eq!(told, want);
    assert_eq!(play.state.condition, Condition::Ok);
}

#[test]
fn what_cannot_be_told_is_told_too_and_starts_no_action() {
    let mut play = Play::new(spec(true));
    assert_eq!(play.looks(0, "uu").concat(), ["failed"]);
    assert_eq!(play.state.condition, Condition::Unknown);
    assert_eq!(play.looks(200, "uuu").concat(), NOTHING);
    assert_eq!(play.look(400, 'b'), ["!", "failed", "acted"], "now it is known");
    assert_eq!(play.looks(500, "uu").concat(), NOTHING, "the same trouble");
    assert_eq!(play.look(700, 'o'), ["recovered"]);
}

#[test]
fn a_watch_that_nobody_looked_at_is_not_well() {
    assert_eq!(Play::new(spec(false)).state.condition, Condition::Unknown);
    let mut play = Play::new(spec(false));
    play.look(0, 'b');
    assert_eq!(play.state.condition, Condition::Unknown, "one bad look is not bad yet, and not well either");
}

#[test]
fn an_action_has_its_time_to_help_and_is_never_fed_in_a_loop() {
    let mut play = Play::new(spec(true));
    assert_eq!(play.looks(0, "bb").concat(), ["!", "failed", "acted"]);
    assert_eq!(play.looks(120, "bb").concat(), ["!", "acted"], "after two further looks");
    assert_eq!(play.looks(240, "bb").concat(), ["tripped"], "two actions within the window are enough");
    assert!(matches!(play.state.breaker, Breaker::Open { .. }));
    assert_eq!(play.looks(360, "bbbbbbbbbb").concat(), NOTHING);
    assert_eq!(play.look(300 + 900, 'b'), ["!", "half_open", "acted"], "one try after the cooldown");
    assert_eq!(play.looks(1260, "bb").concat(), ["tripped"]);
    let Breaker::Open { until } = &play.state.breaker else { panic!("{:?}", play.state.breaker) };
    assert_eq!(until.since(&at(1320)), Duration::from_secs(1800), "twice as long");
    assert_eq!(play.look(1400, 'o'), ["recovered"]);
    assert_eq!(play.state.breaker, Breaker::Closed);
}

#[test]
fn actions_of_earlier_incidents_count_as_long_as_the_window_lasts() {
    let mut play = Play::new(spec(true));
    for start in [0, 1000] {
        assert_eq!(play.looks(start, "bb").concat(), ["!", "failed", "acted"]);
        assert_eq!(play.look(start + 200, 'o'), ["recovered"]);
    }
    assert_eq!(play.looks(2000, "bb").concat(), ["tripped", "failed"], "it flaps: the action does not keep it well");
    assert_eq!(play.look(2200, 'o'), ["recovered"]);
    assert_eq!(play.looks(90_000, "bb").concat(), ["!", "failed", "acted"], "a day later all is forgotten");
}

#[test]
fn no_breaker_where_it_is_switched_off() {
    let mut play = Play::new(WatchSpec { max_failures: 0, ..spec(true) });
    let actions = play.looks(0, &"b".repeat(100)).concat().iter().filter(|told| *told == "!").count();
    assert_eq!(actions, 50);
}

#[test]
fn a_reset_closes_the_breaker_and_runs_nothing() {
    let mut play = Play::new(spec(true));
    play.looks(0, "bbbbbb");
    assert!(matches!(play.state.breaker, Breaker::Open { .. }));
    play.state = reset(&play.state);
    assert_eq!((&play.state.breaker, play.state.acted.len()), (&Breaker::Closed, 0));
    assert_eq!(play.looks(400, "bb").concat(), ["!", "acted"]);
}

#[test]
fn an_action_that_was_cut_short_counts_and_is_said_so() {
    let mut play = Play::new(spec(true));
    play.look(0, 'b');
    let now = at(60);
    let look = Look { name: &play.name, spec: &play.spec, state: &play.state, now: &now };
    let killed = decide(look, &Judged::of(Finding::Bad("down".to_owned()))); // committed, then killed
    assert!(killed.act);
    let now = at(120);
    let look = Look { name: &play.name, spec: &play.spec, state: &killed.state, now: &now };
    let after = decide(look, &Judged::of(Finding::Bad("down".to_owned())));
    assert!(!after.act, "it is not run twice for one trouble");
    assert_eq!(after.state.pending[0].action, CUT_SHORT);
    assert_eq!(after.state.acted.len(), 1);
}

#[test]
fn events_of_one_trouble_have_ids_of_their_own() {
    let mut play = Play::new(spec(true));
    let mut ids = std::collections::HashSet::new();
    for (nth, what) in "bbbbbbbbbbbbbbbbbbbbbbbbbbbbobbbb".chars().enumerate() {
        let now = at(60 * nth as u64);
        let look = Look { name: &play.name, spec: &play.spec, state: &play.state, now: &now };
        let finding = if what == 'o' { Finding::Ok } else { Finding::Bad("down".to_owned()) };
        let decision = decide(look, &Judged::of(finding));
        play.state = decision.state;
        if decision.act {
            let look = Look { name: &play.name, spec: &play.spec, state: &play.state, now: &now };
            play.state = acted(look, false, "it broke".to_owned());
        }
        for event in play.state.pending.drain(..) {
            assert!(ids.insert(event.id.clone()), "{}", event.id);
        }
    }
    assert!(ids.len() > 6, "{ids:?}");
}

#[test]
fn a_look_is_due_after_its_interval_and_a_pass_that_is_a_moment_early_counts() {
    let spec = WatchSpec { every: Duration::from_secs(300), ..spec(false) };
    let state = WatchState { looked: Some(at(0)), ..WatchState::new("command", &at(0)) };
    assert!(is_due(&spec, &WatchState::new("command", &at(0)), &at(0)), "never looked at");
    assert!(!is_due(&spec, &state, &at(240)));
    assert!(is_due(&spec, &state, &at(296)));
    let other = Stamp { boot: BootId::new("c").unwrap(), ..at(1) };
    assert!(is_due(&spec, &state, &other), "after a reboot");
}
