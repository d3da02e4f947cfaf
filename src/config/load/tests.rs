use super::*;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../../greenlane.example.toml");

type Variables<'a> = &'a [(&'a str, &'a str)];

fn load(file: &str, variables: Variables<'_>) -> Result<Config, Vec<String>> {
    let result = Config::from_parts(Some(file), variables.iter().copied());
    result.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn without_anything_the_defaults_stand() {
    let config = Config::from_parts(None, Vec::<(String, String)>::new()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), Value::Object(defaults()));
    assert_eq!(config.engine.lease_seconds.duration(), Duration::from_secs(10));
}

#[test]
fn the_example_is_the_defaults() {
    let config = load(EXAMPLE, &[]).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), Value::Object(defaults()));
}

#[test]
fn the_example_with_its_comments_opened_is_valid() {
    // Lines such as `# url = "…"` are keys without a default.
    let opened: Vec<&str> =
        EXAMPLE.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line)).collect();
    let config = load(&opened.join("\n"), &[]).unwrap();
    assert_eq!(config.engine.concurrency.len(), 5);
    assert!(config.providers.missing().is_empty());
}

fn is_key(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

#[test]
fn the_example_mentions_every_key() {
    fn visit(path: &str, keys: &Map<String, Value>) {
        let header = format!("[{path}]");
        let section: Vec<&str> = EXAMPLE
            .lines()
            .skip_while(|line| *line != header)
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .collect();
        for (key, value) in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if let Value::Object(keys) = value {
                assert!(EXAMPLE.contains(&format!("[{path}]")), "section {path}");
                visit(&path, keys);
            } else {
                let line = format!("{key} = ");
                let mentioned = section.iter().any(|at| at.trim_start_matches("# ").starts_with(&line));
                assert!(mentioned, "key {path}");
            }
        }
    }
    visit("", &defaults());
}

#[test]
fn the_example_mentions_every_variable() {
    for (variable, _) in NAMED {
        assert!(EXAMPLE.contains(variable), "{variable}");
    }
}

#[test]
fn every_key_can_be_set_by_the_environment() {
    fn visit(path: &str, value: &Value) {
        let given = match value {
            Value::Object(keys) => {
                return keys.iter().for_each(|(key, value)| visit(&format!("{path}__{key}"), value));
            }
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            Value::String(text) => text.clone(),
            Value::Null if path.contains("redis") => "redis://host".to_owned(),
            Value::Null if path.ends_with("header") => "x-real-ip".to_owned(),
            Value::Null if path.contains("mail") => "smtp://host".to_owned(),
            Value::Null => "https://host".to_owned(),
            other => other.to_string(),
        };
        let variable = path.to_uppercase();
        let config = load("", &[(&variable, &given)]);
        assert!(config.is_ok(), "{variable}: {config:?}");
    }
    visit("GREENLANE", &Value::Object(defaults()));
}

#[test]
fn later_sources_win() {
    let file =
        "[engine]\nlease_seconds = 3\npoll_ms = 100\n[database]\nurl = 'sqlite://file.db'\n[redis]\nurl='redis://file'";
    let config = load(
        file,
        &[
            ("DATABASE_URL", "sqlite://named.db"),
            ("GREENLANE__DATABASE__URL", "sqlite://prefixed.db"),
            ("REDIS_URL", "redis://named"),
            ("GREENLANE__ENGINE__LEASE_SECONDS", "1.5"),
            ("GREENLANE__ENGINE__CONCURRENCY__GENERATION", "4"),
            ("GREENLANE__WEBHOOKS__ALLOW_PRIVATE_CALLBACKS", "TRUE"),
            ("GREENLANE__MAIL__OPERATIONS", "a@b, c@d,"),
            ("GREENLANE__SERVER__BIND", ""),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(config.database.url.expose(), "sqlite://prefixed.db");
    assert_eq!(config.redis.url.unwrap().to_string(), "redis://named");
    assert_eq!(config.engine.lease_seconds.duration(), Duration::from_millis(1500));
    assert_eq!(config.engine.poll(), Duration::from_millis(100));
    assert_eq!(
        config.engine.concurrency.into_iter().collect::<Vec<_>>(),
        [(crate::domain::stage::Stage::Generation, 4)]
    );
    assert!(config.webhooks.allow_private_callbacks);
    assert_eq!(config.mail.operations, ["a@b", "c@d"]);
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
}

#[test]
fn port_replaces_the_port_unless_the_address_is_named() {
    let bind = |file, variables: Variables<'_>| load(file, variables).unwrap().server.bind.to_string();
    assert_eq!(bind("", &[("PORT", "9000")]), "127.0.0.1:9000");
    assert_eq!(bind("[server]\nbind = '0.0.0.0:1'", &[("PORT", "9000")]), "0.0.0.0:9000");
    assert_eq!(bind("", &[("PORT", "9000"), ("GREENLANE_BIND", "[::]:7000")]), "[::]:7000");
    assert_eq!(bind("", &[("PORT", ""), ("GREENLANE_BIND", "[::]:7000")]), "[::]:7000");
    assert_eq!(load("", &[("PORT", "http")]).unwrap_err(), ["configuration `PORT`: must be a port number, 0 to 65535"]);
}

#[test]
fn each_problem_is_one_line_with_its_remedy() {
    let cases: &[(&str, Variables<'_>, &[&str])] = &[
        ("[engine]\nlease_second = 1", &[], &["`engine.lease_second`: is unknown; did you mean `lease_seconds`?"]),
        ("lease_seconds = 1", &[], &["`lease_seconds`: is unknown; did you mean `engine.lease_seconds`?"]),
        ("[engin]\npoll_ms = 1", &[], &["`engin`: is unknown; did you mean `engine`?"]),
        ("[zzzzzzzzzz]", &[], &["`zzzzzzzzzz`: is unknown"]),
        (
            "",
            &[("GREENLANE__ENGINE__POL_MS", "1")],
            &["`engine.pol_ms`: is unknown (from the environment); did you mean `poll_ms`?"],
        ),
        ("", &[("GREENLANE__ENGINE", "1")], &["`engine`: must be a section with keys (from the environment)"]),
        (
            "[engine]\npoll_ms = 'soon'\nlease_seconds = 'x'\ncommit_batch = -1",
            &[],
            &[
                "`engine.commit_batch`: must be a whole number, 0 or more",
                "`engine.lease_seconds`: must be a number",
                "`engine.poll_ms`: must be a whole number, 0 or more",
            ],
        ),
        ("[engine]\ncommit_batch = 1.5", &[], &["`engine.commit_batch`: must be a whole number, 0 or more"]),
        ("[review]\nclaim_limit = 99999999999", &[], &["`review.claim_limit`: invalid value"]),
        (
            "[engine]\nlease_seconds = 0.5\n[review]\nundo_seconds = 61",
            &[],
            &["`engine.lease_seconds`: must be 1 to 3600", "`review.undo_seconds`: must be 0 to 60"],
        ),
        ("[engine.concurrency]\ngeneration = 0", &[], &["`engine.concurrency.generation`: must be 1 to 10000"]),
        ("[engine.concurrency]\ngenerate = 1", &[], &["unknown variant `generate`"]),
        ("[webhooks]\nretry_scale = 0", &[], &["`webhooks.retry_scale`: must be above 0"]),
        ("[workflow]\nretry_scale = nan", &[], &["`workflow.retry_scale`: must be a number"]),
        ("[mail]\noperations = []", &[], &["`mail.operations`: must list at least one mail address"]),
        ("[redis]\nurl = 'http://host'", &[], &["`redis.url`: must begin with `redis://`"]),
        ("[redis]\nurl = 5", &[], &["`redis.url`: must be a text in quotes"]),
        ("a = [", &[], &["`file, line 1`: is not TOML"]),
        ("", &[("GREENLANE_REGISTRY_URL", "ftp://host")], &["`providers.registry.url`: must begin with `https://`"]),
    ];
    for (file, variables, expected) in cases {
        let problems = load(file, variables).unwrap_err();
        assert_eq!(problems.len(), expected.len(), "{file}: {problems:?}");
        for (problem, expected) in problems.iter().zip(*expected) {
            assert!(problem.contains(expected), "{file}: {problem}");
            assert!(!problem.contains('\n'), "{problem}");
        }
    }
}

#[test]
fn secrets_show_in_no_message_and_no_debug_output() {
    let refused: &[(&str, Variables<'_>)] = &[
        ("", &[("DATABASE_URL", "mysql://user:hunter2@host/db")]),
        ("", &[("DATABASE_URL", "postgres://user:hunter2/@host/db")]),
        ("", &[("REDIS_URL", "redis//:hunter2@host")]),
        ("", &[("SMTP_URL", "http://user:hunter2@host")]),
        ("", &[("GREENLANE_BLOB_URL", "s3://key:hunter2@bucket")]),
        ("[database]\nurl = \"postgres://user:hunter2@host", &[]),
        ("[database]\nurl = { password = 'hunter2' }", &[]),
    ];
    for (file, variables) in refused {
        let problems = load(file, variables).unwrap_err();
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
    let config = load(
        "",
        &[
            ("DATABASE_URL", "postgres://user:hunter2@host/db?password=hunter2"),
            ("REDIS_URL", "redis://:hunter2@host"),
            ("SMTP_URL", "smtps://user:hunter2@host"),
            ("GREENLANE_REGISTRY_URL", "https://user:hunter2@host"),
        ],
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"));
}

#[test]
fn a_named_file_must_be_there() {
    let variables = |path: &str| [("GREENLANE_CONFIG".to_owned(), path.to_owned())].into_iter().collect();
    let problem = find_file(&variables("/nowhere/greenlane.toml")).unwrap_err().to_string();
    assert_eq!(
        problem,
        "configuration `GREENLANE_CONFIG`: there is no file `/nowhere/greenlane.toml`; correct the variable or leave it out"
    );
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/greenlane.example.toml");
    assert_eq!(find_file(&variables(here)).unwrap(), Some(PathBuf::from(here)));
    assert_eq!(find_file(&super::Variables::new()).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_text_are_a_problem_only_when_they_are_ours() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(vec![0xff]);
    let all = [("GREENLANE_BIND".into(), broken()), ("OTHER".into(), broken()), ("PORT".into(), "1".into())];
    let (variables, problems) = readable(all.into_iter());
    assert_eq!(variables.len(), 1);
    assert_eq!(problems.0, [Problem::new("GREENLANE_BIND", "must be UTF-8 text")]);
}
