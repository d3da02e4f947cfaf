//! Every check with the smallest file that breaks it, and the files that are shipped.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::stage::outcome;

/// A sound definition; the tests break one line of it.
const SOUND: &str = r#"name = "first_issue"
version = 1
applies_to = "first_issue"
start = "eligibility"
[deadline]
working_days = 1
starts_at = "face_verification"
opens = "09:00"
close = "17:00"
warn_at = [0.5, 0.8]
on_breach = "escalate"
[stages.eligibility]
uses = "eligibility"
timeout = "10s"
attempts = 8
retry = { base = "2s", factor = 2.0, max = "5m", jitter = 0.2 }
concurrency = 64
rate = "50/s"
on = { eligible = "face_verification" }
[stages.face_verification]
uses = "face_verification"
timeout = "10s"
attempts = 8
retry = ["1s", "5s"]
concurrency = 64
on = { passed = "photo_review" }
[stages.photo_review]
uses = "photo_review"
timeout = "10s"
attempts = 8
retry = ["1s"]
concurrency = 64
on = { not_needed = "generation", approved = "generation" }
[stages.generation]
uses = "generation"
timeout = "10s"
attempts = 8
retry = ["1s"]
concurrency = 64
on = { issued = "end" }
[stages.notification]
uses = "notification"
timeout = "10s"
attempts = 8
retry = ["1s"]
concurrency = 64
on = { settled = "end" }
[notices]
stage = "notification"
issued = { channels = ["sms", "app"], template = "issued" }
rejected = { channels = ["app"], template = "rejected" }
"#;

/// The shipped definitions.
pub(crate) const SHIPPED: [&str; 3] = [
    include_str!("../../../workflows/first_issue.toml"),
    include_str!("../../../workflows/reissue.toml"),
    include_str!("../../../workflows/photo_change.toml"),
];

/// The sound text with one line replaced; an empty replacement keeps the line numbers.
fn with_line(line: usize, replacement: &str) -> String {
    let lines: Vec<&str> =
        SOUND.lines().enumerate().map(|(index, text)| if index + 1 == line { replacement } else { text }).collect();
    lines.join("\n")
}

fn problems(text: &str) -> Vec<(usize, String)> {
    Workflow::parse(text).unwrap_err().into_iter().map(|problem| (problem.line, problem.reason)).collect()
}

#[test]
fn a_sound_file_is_what_it_says() {
    let workflow = Workflow::parse(SOUND).unwrap();
    assert_eq!(workflow.id().to_string(), "first_issue@1");
    assert_eq!((workflow.kind, workflow.start), (Kind::FirstIssue, Stage::Eligibility));
    assert_eq!(workflow.source, SOUND);
    assert_eq!(workflow.deadline.starts_at, Stage::FaceVerification);
    assert_eq!(workflow.deadline.warn_at, [0.5, 0.8]);
    let rule = workflow.rule(Stage::Eligibility).unwrap();
    assert_eq!(
        (rule.timeout, rule.attempts, rule.concurrency, rule.rate),
        (Duration::from_secs(10), 8, 64, Some(50.0))
    );
    assert_eq!(workflow.next(Stage::Eligibility, outcome::ELIGIBLE), Some(Target::Stage(Stage::FaceVerification)));
    assert_eq!(workflow.next(Stage::PhotoReview, outcome::NOT_NEEDED), Some(Target::Stage(Stage::Generation)));
    assert_eq!(workflow.next(Stage::Generation, outcome::ISSUED), Some(Target::End));
    assert_eq!(workflow.next(Stage::Generation, outcome::PASSED), None);
    assert_eq!(workflow.notices.after(Status::Rejected).unwrap().channels, [Channel::App]);
    assert_eq!(workflow.notices.after(Status::Issued).unwrap().template, "issued");
    assert_eq!(workflow.notices.after(Status::Cancelled), None);
}

#[test]
fn each_broken_line_is_named() {
    let cases = [
        (1, "", 1, "missing `name`"),
        (1, "name = \"First Issue\"", 1, "`name`: not a name of up to 64 characters in snake_case: `First Issue`"),
        (2, "", 1, "missing `version`"),
        (2, "version = 0", 2, "`version`: must be from 1 to 4294967295: `0`"),
        (2, "version = \"1\"", 2, "`version`: invalid type: string \"1\", expected u32"),
        (2, "version = -1", 2, "`version`: invalid value: integer `-1`, expected u32"),
        (3, "applies_to = \"first_isue\"", 3, "unknown kind: `first_isue`, did you mean `first_issue`?"),
        (
            3,
            "applies_to = \"renewal\"",
            3,
            "unknown kind: `renewal`, known are `first_issue`, `reissue`, `photo_change`",
        ),
        (3, "aplies_to = \"first_issue\"", 3, "unknown key `aplies_to`, did you mean `applies_to`?"),
        (4, "start = \"eligbility\"", 4, "unknown stage: `eligbility`, did you mean `eligibility`?"),
        (4, "start = \"notification\"", 4, "`start`: `notification` sends the notices, which come after the decision"),
        (6, "working_days = 61", 6, "`working_days` must be at most 60: `61`"),
        (
            6,
            "working_days = 0",
            6,
            "`working_days`: the stages after `face_verification` may retry for 5 minutes, and the office time until the deadline is only 0ms",
        ),
        (6, "working_day = 1", 6, "unknown key `working_day`, did you mean `working_days`?"),
        (7, "starts_at = \"notification\"", 7, "`starts_at`: no application passes `notification` before its decision"),
        (8, "opens = \"9 am\"", 8, "`opens`: not a time of day like `09:00`: `9 am`"),
        (8, "opens = \"18:00\"", 8, "`opens` must be before `close`: `18:00:00` and `17:00:00`"),
        (9, "close = 17:00:00", 9, "`close`: not a time of day like `09:00`: `17:00:00`"),
        (10, "warn_at = [0.8, 0.5]", 10, "`warn_at` must be fractions between 0 and 1 in rising order: `0.5`"),
        (10, "warn_at = [0.0]", 10, "`warn_at` must be fractions between 0 and 1 in rising order: `0`"),
        (10, "warn_at = [1.5]", 10, "`warn_at` must be fractions between 0 and 1 in rising order: `1.5`"),
        (10, "warn_at = [nan]", 10, "`warn_at` must be fractions between 0 and 1 in rising order: `NaN`"),
        (11, "on_breach = \"approve\"", 11, "unknown breach action: `approve`, known are `escalate`"),
        (12, "[stages.eligibilty]", 12, "unknown stage: `eligibilty`, did you mean `eligibility`?"),
        (
            13,
            "uses = \"generation\"",
            13,
            "uses `generation`: a stage has the name of the registered stage that it uses",
        ),
        (13, "", 12, "missing `uses`"),
        (14, "", 12, "missing `timeout`"),
        (14, "timeout = \"0s\"", 14, "`timeout`: must be longer than 0"),
        (14, "timeout = \"121s\"", 14, "`timeout`: one attempt may take `2m` at most"),
        (14, "timeout = 10", 14, "`timeout`: invalid type: integer `10`, expected a string"),
        (15, "", 12, "missing `attempts`"),
        (15, "attempts = 0", 15, "`attempts`: must be from 1 to 100: `0`"),
        (16, "", 12, "missing `retry`"),
        (16, "retry = []", 16, "`retry`: give either `waits` or `base`, `factor` and `max`"),
        (17, "", 12, "missing `concurrency`"),
        (17, "concurrency = 0", 17, "`concurrency`: must be from 1 to 10000: `0`"),
        (18, "rate = \"50\"", 18, "`rate`: not a rate like `50/s`, `600/m` or `1000/h`: `50`"),
        (18, "timeuot = \"5s\"", 18, "unknown key `timeuot`, did you mean `timeout`?"),
        (19, "", 12, "missing `on`"),
        (19, "on = {}", 19, "nothing follows the outcome `eligible` of `eligibility`"),
        (
            19,
            "on = { eligible = \"face\" }",
            19,
            "unknown stage: `face`, known are `eligibility`, `face_verification`, `photo_review`, `generation`, `notification`, `end`",
        ),
        (19, "on = { eligible = \"end\" }", 19, "`end` before a decision: only `generation` and the notices may end"),
        (
            19,
            "on = { eligible = \"notification\" }",
            19,
            "`notification` sends the notices and runs by itself after the decision",
        ),
        (19, "on = { eligible = \"generation\" }", 34, "a licence could be generated without `face_verification`"),
        (19, "on = { eligible = \"generation\" }", 20, "nothing leads to `face_verification`"),
        (
            26,
            "on = { passed = \"eligibility\" }",
            26,
            "goes round in a circle: `eligibility` has run before, and nothing waits in between",
        ),
        (26, "on = { passed = \"eligibility\" }", 20, "no way leads from `face_verification` to an end"),
        (33, "on = { approved = \"generation\" }", 33, "nothing follows the outcome `not_needed` of `photo_review`"),
        (
            33,
            "on = { not_needed = \"photo_review\", approved = \"generation\" }",
            33,
            "goes round in a circle: `photo_review` has run before, and nothing waits in between",
        ),
        (
            33,
            "on = { not_needed = \"generation\", aproved = \"generation\" }",
            33,
            "`photo_review` has no outcome `aproved`, did you mean `approved`?",
        ),
        (40, "on = { issued = \"photo_review\" }", 40, "only `end` may follow `generation`"),
        (47, "on = { settled = \"generation\" }", 47, "only `end` may follow `notification`"),
        (
            49,
            "stage = \"sms\"",
            49,
            "unknown stage: `sms`, known are `eligibility`, `face_verification`, `photo_review`, `generation`, `notification`",
        ),
        (50, "", 48, "missing `issued`"),
        (50, "issued = { channels = [], template = \"issued\" }", 50, "`channels`: at least one is needed"),
        (
            50,
            "issued = { channels = [\"sms\", \"sms\"], template = \"issued\" }",
            50,
            "`channels`: `sms` is there twice",
        ),
        (
            50,
            "issued = { channels = [\"mail\"], template = \"issued\" }",
            50,
            "unknown channel: `mail`, known are `sms`, `app`",
        ),
        (
            51,
            "rejected = { channels = [\"sms\"], template = \"\" }",
            51,
            "unknown notice template: ``, known are `rejected`",
        ),
        (
            50,
            "issued = { channels = [\"sms\"], template = \"congratulations\" }",
            50,
            "unknown notice template: `congratulations`, known are `issued`",
        ),
        (
            51,
            "rejected = { channels = [\"sms\"], template = \"issued\" }",
            51,
            "`template`: after this decision the text is `rejected`",
        ),
        (
            51,
            "rejected = { channels = [\"sms\"], templat = \"x\" }",
            51,
            "unknown key `templat`, did you mean `template`?",
        ),
        (51, "rejected = 5", 51, "invalid type: integer `5`, expected a table of the notice"),
    ];
    for (line, replacement, expected_line, expected) in cases {
        let found = problems(&with_line(line, replacement));
        assert!(found.contains(&(expected_line, expected.to_owned())), "{replacement:?} in line {line}: {found:#?}");
    }
}

#[test]
fn syntax_is_told_with_its_line() {
    let found = problems(&with_line(3, "applies_to = "));
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3], "{found:?}");
    assert_eq!(problems(&with_line(2, "name = \"again\"")).first().map(|(line, _)| *line), Some(2));
}

#[test]
fn all_problems_are_told_at_once_in_order() {
    let text = with_line(14, "timeout = \"0s\"")
        .replace("attempts = 8", "attempts = 0")
        .replace("start = \"eligibility\"", "start = \"x\"");
    let lines: Vec<usize> = problems(&text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [4, 14, 15, 23, 30, 37, 44]);
}

#[test]
fn an_empty_file_misses_everything() {
    let reasons: Vec<String> = problems("").into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(
        reasons,
        [
            "missing `[deadline]`",
            "missing `[notices]`",
            "missing `[stages]`",
            "missing `applies_to`",
            "missing `name`",
            "missing `start`",
            "missing `version`"
        ]
    );
}

#[test]
fn a_stage_that_is_named_needs_its_table() {
    let text: String = SOUND.lines().take(40).chain(SOUND.lines().skip(47)).map(|line| format!("{line}\n")).collect();
    assert_eq!(problems(&text), [(42, "`notification` has no table `[stages.notification]`".to_owned())]);
}

#[test]
fn a_circle_may_pass_an_approval() {
    Workflow::parse(&with_line(33, "on = { not_needed = \"generation\", approved = \"face_verification\" }")).unwrap();
}

#[test]
fn the_deadline_has_room_for_the_retries() {
    // 7 waits of an hour and a fifth after the clock has started, and an office day of 8 hours.
    let slow = with_line(38, "retry = [\"1h\"]");
    let expected = "`working_days`: the stages after `face_verification` may retry for 509 minutes, and the office time until the deadline is only 8h";
    assert_eq!(problems(&slow), [(6, expected.to_owned())]);
    Workflow::parse(&slow.replace("working_days = 1", "working_days = 2")).unwrap();
    // Before the clock starts there is time.
    Workflow::parse(&with_line(24, "retry = [\"1h\"]")).unwrap();
    // The promise includes the notice: the result is received, not only decided.
    assert_eq!(problems(&with_line(45, "retry = [\"1h\"]")).len(), 1);
}

#[test]
fn the_hash_is_of_the_meaning() {
    let hash = |text: &str| Workflow::parse(text).unwrap().hash;
    let sound = hash(SOUND);
    assert_eq!(hash(&format!("# a comment\n\n{SOUND}")), sound);
    assert_eq!(hash(&with_line(16, "retry = { max = '300s', base = '2000ms' }")), sound);
    assert_eq!(hash(&SOUND.replace('\n', "\r\n")), sound);
    for (line, change) in [
        (2, "version = 2"),
        (14, "timeout = \"11s\""),
        (16, "retry = [\"2s\"]"),
        (18, ""),
        (10, "warn_at = []"),
        (51, "rejected = { channels = [\"sms\"], template = \"rejected\" }"),
    ] {
        assert_ne!(hash(&with_line(line, change)), sound, "{change}");
    }
    // Pinned in databases: when this changes, every released file counts as edited.
    assert_eq!(sound, "8c29b4ac189352203fb77bac296a356051212beb15ff3e088642fd7aa8337f34");
}

#[test]
fn the_shipped_files_are_sound() {
    for text in SHIPPED {
        let workflow = Workflow::parse(text).unwrap();
        assert_eq!(workflow.name, workflow.kind.as_str());
        assert_eq!(workflow.stages.keys().copied().collect::<Vec<_>>(), Stage::ALL);
        assert!(text.starts_with("#:schema ./workflow.schema.json\n"));
    }
}

#[test]
fn the_grammar_names_every_outcome() {
    let grammar = include_str!("../../../workflows/README.md");
    for stage in Stage::ALL {
        let row = grammar.lines().find(|line| line.starts_with(&format!("| `{stage}` |"))).unwrap();
        assert!(stage.outcomes().iter().all(|outcome| row.contains(&format!("`{outcome}`"))), "{row}");
    }
}

#[test]
fn the_graph_shows_every_way() {
    insta::assert_snapshot!(Workflow::parse(SOUND).unwrap().mermaid(), @r"
    flowchart TD
        %% first_issue@1
        submitted([submitted])
        decided([decided])
        done([done])
        submitted --> eligibility
        eligibility -->|eligible| face_verification
        eligibility -.->|rejected| decided
        face_verification -->|passed| photo_review
        face_verification -.->|rejected| decided
        photo_review -->|approved| generation
        photo_review -->|not_needed| generation
        photo_review -.->|rejected| decided
        generation -->|issued| decided
        generation -.->|rejected| decided
        decided --> notification
        notification -->|settled| done
    ");
}

#[test]
fn a_set_has_the_newest_and_every_release() {
    let found = |text: &str| Found { file: "workflows/x.toml".into(), workflow: Workflow::parse(text).unwrap() };
    let all = || SHIPPED.map(found).to_vec();
    let newer = SHIPPED[0].replace("version = 1\n", "version = 2\n");
    let mut set = WorkflowSet::new([vec![found(&newer)], all()].concat(), "workflows".as_ref()).unwrap();
    assert_eq!(set.newest(Kind::FirstIssue).version, 2);
    assert_eq!(set.newest(Kind::Reissue).id().to_string(), "reissue@1");
    assert_eq!(set.iter().count(), 4);

    let pinned = |version: u32| {
        Workflow::parse(&SHIPPED[0].replace("version = 1\n", &format!("version = {version}\n"))).unwrap()
    };
    set.add_pinned(pinned(9)).unwrap();
    assert_eq!(set.newest(Kind::FirstIssue).version, 2);
    assert_eq!(set.get(&WorkflowId::new("first_issue", 9)).unwrap().version, 9);
    assert_eq!(set.get(&WorkflowId::new("first_issue", 8)), None);
    set.add_pinned(pinned(1)).unwrap();
    let edited = Workflow::parse(&SHIPPED[0].replace("timeout = \"20s\"", "timeout = \"21s\"")).unwrap();
    assert_eq!(set.add_pinned(edited).unwrap_err().id.to_string(), "first_issue@1");
}

#[test]
fn a_set_refuses_what_contradicts_between_files() {
    let found = |file: &str, text: &str| Found { file: file.into(), workflow: Workflow::parse(text).unwrap() };
    let [first, reissue, change] = SHIPPED;
    let refused = |found: Vec<Found>| -> Vec<String> {
        WorkflowSet::new(found, "workflows".as_ref()).unwrap_err().iter().map(ToString::to_string).collect()
    };
    let sound = || vec![found("a.toml", first), found("b.toml", reissue), found("c.toml", change)];
    assert_eq!(refused(vec![]).len(), 3);
    assert_eq!(refused(sound().split_off(1)), ["workflows:1: no workflow for the kind `first_issue`"]);
    assert_eq!(
        refused([sound(), vec![found("d.toml", first)]].concat()),
        ["d.toml:5: `first_issue@1` is also in `a.toml`"]
    );
    let rival = first.replace("name = \"first_issue\"", "name = \"fast_issue\"");
    assert_eq!(
        refused([sound(), vec![found("d.toml", &rival)]].concat()),
        ["d.toml:6: kind `first_issue` already has the workflow `first_issue`"]
    );
    let moved = first
        .replace("version = 1\n", "version = 2\n")
        .replace("applies_to = \"first_issue\"", "applies_to = \"reissue\"");
    assert_eq!(
        refused([sound(), vec![found("d.toml", &moved)]].concat()),
        ["d.toml:6: kind `reissue` already has the workflow `reissue`"]
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Workflow::parse(&text);
    }

    #[test]
    fn no_broken_file_panics(line in 0_usize..52, text in "[ -~\n照]{0,60}", cut in 0_usize..1_500) {
        let _ = Workflow::parse(&with_line(line, &text));
        let _ = Workflow::parse(&SOUND.chars().take(cut).chain(text.chars()).collect::<String>());
    }

    #[test]
    fn no_value_panics(line in 1_usize..52, value in "(-?[0-9]{1,20}(\\.[0-9]{1,3})?|nan|inf|true|\\[\\]|\\{\\}|\"[a-z0-9:/@ ]{0,12}\"|17:00:00|1979-05-27)") {
        let key = SOUND.lines().nth(line - 1).and_then(|line| line.split_once(" =")).map_or("x", |(key, _)| key);
        let _ = Workflow::parse(&with_line(line, &format!("{key} = {value}")));
    }
}
