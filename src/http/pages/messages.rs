//! What pages say: one file of messages for each language, `web/messages/`. A key that a page uses and a language has
//! not fails a test.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::json;

use crate::domain::wire::wire_enum;

wire_enum! {
    /// A language of the pages, by its BCP 47 tag.
    pub enum Language as "language" {
        /// 简体中文, unless somebody chose otherwise.
        Chinese = "zh-CN",
        /// English.
        English = "en",
    }
}

type Messages = BTreeMap<String, String>;

static CHINESE: LazyLock<Messages> = LazyLock::new(|| parse(include_str!("../../../web/messages/zh-CN.toml")));
static ENGLISH: LazyLock<Messages> = LazyLock::new(|| parse(include_str!("../../../web/messages/en.toml")));

impl Language {
    fn messages(self) -> &'static Messages {
        match self {
            Self::Chinese => &CHINESE,
            Self::English => &ENGLISH,
        }
    }

    /// The message of a key.
    pub fn message(self, key: &str) -> Option<&'static str> {
        self.messages().get(key).map(String::as_str)
    }

    /// The messages whose keys begin with `js.`, for scripts, as JSON.
    pub fn script_messages(self) -> String {
        let own = self.messages().range("js.".to_owned()..).take_while(|(key, _)| key.starts_with("js."));
        let own: BTreeMap<&str, &str> = own.map(|(key, text)| (key.trim_start_matches("js."), text.as_str())).collect();
        json!(own).to_string()
    }
}

/// Puts arguments where a message has `{0}`, `{1}` and so on.
pub fn fill(message: &str, arguments: &[&dyn std::fmt::Display]) -> String {
    let filled = arguments.iter().enumerate();
    filled.fold(message.to_owned(), |text, (place, argument)| {
        text.replace(&format!("{{{place}}}"), &argument.to_string())
    })
}

/// The file's sections and keys as `section.key`. The files are part of the program: a test reads them.
fn parse(text: &str) -> Messages {
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut messages = Messages::new();
    flatten("", &table, &mut messages);
    messages
}

fn flatten(prefix: &str, table: &toml::Table, messages: &mut Messages) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::String(text) => {
                messages.insert(key, text.clone());
            }
            toml::Value::Table(table) => flatten(&key, table, messages),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::domain::{
        application::{Channel, Kind, NoticeState, PhotoSource, Status, WaitReason},
        batch::{BatchAct, ItemVerdict},
        breaker::BreakerState,
        event::EventType,
        photo_check::CheckResult,
        presentation::{Purpose, Refused},
        provider_error::Provider,
        review::{ReviewState, Verdict},
        stage::Stage,
        timeline::Spent,
        user::Role,
    };

    /// Keys that are put together: `("role.", role)`.
    fn families(messages: &Messages, prefix: &str) -> Vec<String> {
        messages.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// The texts in quotes after each `marker(`.
    fn called(text: &str, marker: &str) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        for (at, _) in text.match_indices(marker) {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let rest = &text[at + marker.len()..];
            let Some((key, after)) = rest.split_once('"') else { continue };
            found.push((key.to_owned(), after.trim_start().starts_with(',')));
        }
        found
    }

    fn files(folder: &Path, endings: &[&str], found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("vendor") {
                    files(&path, endings, found);
                }
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_message_is_there_in_every_language() {
        assert!(CHINESE.len() > 50, "the file does not parse");
        let (chinese, english): (BTreeSet<_>, BTreeSet<_>) = (CHINESE.keys().collect(), ENGLISH.keys().collect());
        let missing: Vec<_> = chinese.symmetric_difference(&english).collect();
        assert!(missing.is_empty(), "only one language has {missing:?}");
        for (key, text) in CHINESE.iter() {
            let places = |text: &str| (0..5).filter(|place| text.contains(&format!("{{{place}}}"))).collect::<Vec<_>>();
            assert_eq!(places(text), places(&ENGLISH[key]), "arguments of `{key}`");
            assert!(!text.trim().is_empty() && !ENGLISH[key].trim().is_empty(), "`{key}` is empty");
        }
    }

    #[test]
    fn every_message_that_a_page_uses_is_there_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut pages, mut scripts, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        files(&root.join("web/templates"), &[".html"], &mut pages);
        files(&root.join("web/static"), &[".js"], &mut scripts);
        for folder in ["src/http/pages", "src/http/console", "src/http/ops"] {
            if root.join(folder).is_dir() {
                files(&root.join(folder), &[".rs"], &mut sources);
            }
        }
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut unknown = Vec::new();
        let mut use_key = |key: String| {
            // A family: `page.t_of("state.", …)`.
            if key.ends_with('.') {
                used.extend(families(&CHINESE, &key));
            } else if CHINESE.contains_key(&key) {
                used.insert(key);
            } else {
                unknown.push(key);
            }
        };
        let sources = sources.iter().map(|text| text.split("#[cfg(test)]").next().unwrap());
        for text in pages.iter().map(String::as_str).chain(sources) {
            for marker in ["t(\"", "fill(\"", "say(\"", "t_of(\"", "message(\"", "key: \""] {
                called(text, marker).into_iter().for_each(|(key, _)| use_key(key));
            }
        }
        for text in &scripts {
            called(text, "t(\"").into_iter().for_each(|(key, _)| use_key(format!("js.{key}")));
        }
        // Scripts put these together: by the code of a problem, by what is done.
        for family in ["js.problem.", "js.field.", "js.fault.", "js.pass_", "js.act_"] {
            used.extend(families(&CHINESE, family));
        }
        assert!(unknown.is_empty(), "used, and in no file: {unknown:?}");
        let unused: Vec<_> = CHINESE.keys().filter(|key| !used.contains(*key)).collect();
        assert!(unused.is_empty(), "in the files, and used by no page: {unused:?}");
    }

    /// A text for every name that a page may put together.
    #[test]
    fn every_name_of_a_family_has_a_text() {
        fn names<T: std::fmt::Display>(all: &[T]) -> Vec<String> {
            all.iter().map(ToString::to_string).collect()
        }
        let stages: Vec<String> = names(Stage::ALL).into_iter().chain(["done".to_owned()]).collect();
        let families = [
            ("ops.event.of.", names(EventType::ALL)),
            ("ops.stage.", stages),
            ("ops.status.", names(Status::ALL)),
            ("ops.kind.", names(Kind::ALL)),
            ("ops.channel.", names(Channel::ALL)),
            ("ops.notice.", names(NoticeState::ALL)),
            ("ops.waiting.", names(WaitReason::ALL)),
            ("ops.spent.", names(Spent::ALL)),
            ("ops.verdict.", names(ItemVerdict::ALL)),
            ("ops.bulk.title.", names(BatchAct::ALL)),
            ("ops.bulk.go.", names(BatchAct::ALL)),
            ("ops.batch.title.", names(BatchAct::ALL)),
            ("ops.provider.", names(Provider::ALL)),
            ("ops.breaker.", names(BreakerState::ALL)),
            ("role.", names(Role::ALL)),
            ("kind.", names(Kind::ALL)),
            ("state.", names(ReviewState::ALL)),
            ("verdict.", names(Verdict::ALL)),
            ("source.", names(PhotoSource::ALL)),
            ("check.", names(CheckResult::ALL)),
            ("verify.purposes.", names(Purpose::ALL)),
            ("verify.reason.", names(Refused::ALL)),
        ];
        for (family, names) in families {
            let without: Vec<_> =
                names.iter().filter(|name| !CHINESE.contains_key(&format!("{family}{name}"))).collect();
            assert!(without.is_empty(), "`{family}` has no text for {without:?}");
        }
    }

    /// The first text in quotes after each marker that reads like a code.
    fn codes(path: &str, markers: &[&str]) -> BTreeSet<String> {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let is_code = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let found = markers.iter().flat_map(|marker| text.match_indices(marker).map(|(at, marker)| at + marker.len()));
        found
            .filter_map(|at| text[at..].split([';', '}']).next()?.split('"').skip(1).step_by(2).find(is_code))
            .map(str::to_owned)
            .collect()
    }

    fn said(family: &str) -> BTreeSet<String> {
        families(&CHINESE, family).iter().map(|key| key.trim_start_matches(family).to_owned()).collect()
    }

    const REVIEWS: [&str; 5] = [
        "src/http/api/reviews/mod.rs",
        "src/http/api/reviews/claim.rs",
        "src/http/api/reviews/detail.rs",
        "src/http/api/reviews/history.rs",
        "src/http/api/reviews/supervise.rs",
    ];

    #[test]
    fn every_problem_that_the_console_can_meet_has_a_text() {
        /// What nobody meets who reviews.
        const ELSEWHERE: [&str; 11] = [
            "calendar_in_use",
            "calendar_version_taken",
            "fenced",
            "last_administrator",
            "licence_not_current",
            "name_taken",
            "not_acceptable",
            "not_oneself",
            "not_stalled",
            "nothing_to_do",
            "unknown_outcome",
        ];
        let mut met = BTreeSet::new();
        let shared = ["auth", "body", "layers", "problem", "reviewer", "router", "strict"];
        for path in shared.map(|name| format!("src/http/{name}.rs")).iter().map(String::as_str).chain(REVIEWS) {
            met.extend(codes(path, &["Problem::new(", "Self::new(StatusCode", "::conflict(", "::bad_request("]));
        }
        let refusals = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/cause.rs")).unwrap();
        met.extend(refusals.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        let said = said("js.problem.");
        let missing: Vec<_> =
            met.iter().filter(|code| !said.contains(*code) && !ELSEWHERE.contains(&code.as_str())).collect();
        assert!(missing.is_empty(), "no text for {missing:?}");
        let unmet: Vec<_> = said.iter().filter(|code| !met.contains(*code)).collect();
        assert!(unmet.is_empty(), "nothing says {unmet:?}");
    }

    #[test]
    fn every_wrong_field_of_the_console_has_a_text() {
        let mut met = BTreeSet::new();
        for path in ["src/http/api/mod.rs", "src/http/strict.rs"].into_iter().chain(REVIEWS) {
            met.extend(codes(path, &["Fault::new(", "FieldError::new(", "Problem::field(", "fault("]));
        }
        let said = said("js.fault.");
        let missing: Vec<_> = met.iter().filter(|code| !said.contains(*code)).collect();
        assert!(missing.is_empty(), "no text for {missing:?}");
    }

    #[test]
    fn arguments_take_their_places() {
        assert_eq!(fill("{1} of {0}, {1}", &[&2, &"x"]), "x of 2, x");
    }
}
