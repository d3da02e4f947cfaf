//! `key`, `secret` and `user`.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::program::Settings;
use crate::support::scratch::Scratch;
use crate::support::{Database, Site, on_both_databases};

on_both_databases! {
    async fn users_are_created_listed_and_disabled(database) {
        let site = Site::on(database).roles("api").start().await;
        let create = ["user", "create", "--name", "wang", "--role", "reviewer", "--authority", "蒙C"];
        site.settings.run_with_input(&create, "correct horse battery staple\n").await.expect(0);
        let listed = site.greenlane(&["user", "list"]).await.expect(0);
        assert!(["wang", "reviewer", "蒙C"].iter().all(|text| listed.stdout.contains(text)), "{listed:?}");
        assert!(!listed.stdout.contains("horse") && !listed.stdout.contains("argon2"), "{listed:?}");
        site.settings.run_with_input(&create, "another horse battery staple\n").await.expect(1);
        site.settings.run_with_input(&["user", "password", "wang"], "a new horse battery staple\n").await.expect(0);
        site.settings.run_with_input(&["user", "password", "nobody"], "a new horse battery staple\n").await.expect(1);
        site.greenlane(&["user", "disable", "wang"]).await.expect(0);
        site.greenlane(&["user", "disable", "wang"]).await.expect(1);
        site.greenlane(&["user", "disable", "nobody"]).await.expect(1);
        site.greenlane(&["user", "enable", "wang"]).await.expect(0);
        site.greenlane(&["user", "enable", "wang"]).await.expect(1);
    }

    async fn users_are_changed_afterwards(database) {
        let site = Site::on(database).roles("api").start().await;
        site.user("wang", "reviewer", &["--authority", "蒙C"]).await;
        site.greenlane(&["user", "change", "wang", "--role", "supervisor", "--other-authorities", "true"]).await.expect(0);
        let listed = async || site.greenlane(&["user", "list"]).await.expect(0).stdout;
        let shown = listed().await;
        assert!(shown.contains("supervisor") && shown.contains("蒙C and others"), "{shown}");
        site.greenlane(&["user", "change", "wang", "--no-authority"]).await.expect(0);
        assert!(!listed().await.contains("蒙C"));
        let document = ["user", "change", "wang", "--document-type", "A"];
        site.settings.run_with_input(&document, "110105194912310021\n").await.expect(1);
        site.settings.run_with_input(&document, "").await.expect(1);
        site.settings.run_with_input(&document, "11010519491231002X\n").await.expect(0);
        site.greenlane(&["user", "change", "nobody", "--role", "admin"]).await.expect(1);
        site.greenlane(&["user", "change", "wang"]).await.expect(2);
        site.greenlane(&["user", "change", "wang", "--authority", "蒙C", "--no-authority"]).await.expect(2);
    }

    async fn keys_are_shown_once(database) {
        let site = Site::on(database).roles("api").start().await;
        let created = site.greenlane(&["key", "create", "--name", "first", "--scope", "applications:read"]).await.expect(0);
        let key = created.stdout.trim_end();
        assert_eq!(created.stdout.lines().count(), 1, "the key stands alone on stdout: {created:?}");
        site.api.with_key(key).get("/v1/applications").await.expect(200);
        let listed = site.greenlane(&["key", "list"]).await.expect(0);
        assert!(listed.stdout.contains("first") && !listed.stdout.contains(key), "{listed:?}");
        site.greenlane(&["key", "revoke", &uuid::Uuid::now_v7().to_string()]).await.expect(1);
    }
}

#[tokio::test]
async fn weak_passwords_and_unknown_roles_are_refused() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let create = ["user", "create", "--name", "li", "--role", "reviewer"];
    for password in ["", "\n", "short\n"] {
        let ended = site.settings.run_with_input(&create, password).await.expect(1);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
    let good = "correct horse battery staple\n";
    for call in [
        &["user", "create", "--name", "li", "--role", "king"][..],
        &["user", "create", "--name", " li", "--role", "reviewer"],
        &["user", "create", "--name", "li", "--role", "reviewer", "--authority", "not one"],
        &["user", "create", "--name", "li"],
        &["user", "disable"],
    ] {
        site.settings.run_with_input(call, good).await.expect(2);
    }
    let own = [&create[..], &["--document-type", "A"]].concat();
    site.settings.run_with_input(&own, good).await.expect(1);
    site.settings.run_with_input(&own, &format!("{good}110105194912310021\n")).await.expect(1);
    assert!(!site.greenlane(&["user", "list"]).await.expect(0).stdout.contains("li "));
    site.settings.run_with_input(&own, &format!("{good}11010519491231002X\n")).await.expect(0);
}

#[tokio::test]
async fn fresh_key_material_is_private_and_never_overwritten() {
    let scratch = Scratch::new();
    let settings = Settings::new(scratch.path());
    settings.run(&["secret", "create", "one"]).await.expect(0);
    settings.run(&["secret", "create", "two"]).await.expect(0);
    let (one, two) = (std::fs::read(scratch.file("one")).unwrap(), std::fs::read(scratch.file("two")).unwrap());
    assert!(!one.is_empty() && one != two);
    assert_eq!(std::fs::metadata(scratch.file("one")).unwrap().permissions().mode() & 0o777, 0o600);
    settings.run(&["secret", "create", "one"]).await.expect(1);
    assert_eq!(std::fs::read(scratch.file("one")).unwrap(), one);
    settings.run(&["secret", "create", "missing/folder/file"]).await.expect(1);
}

#[tokio::test]
async fn a_secret_file_that_others_can_read_is_refused() {
    let scratch = Scratch::new();
    let settings = Settings::complete(scratch.path()).variable("GREENLANE_SECRET_FILE", "secret");
    settings.run(&["secret", "create", "secret"]).await.expect(0);
    std::fs::set_permissions(scratch.file("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let ended = settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    assert!(ended.stderr.contains("secret"), "{ended:?}");
    std::fs::write(scratch.file("secret"), "nonsense").unwrap();
    std::fs::set_permissions(scratch.file("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
}

#[tokio::test]
async fn sqlite_makes_its_own_secret_file() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    assert_eq!(std::fs::metadata(site.scratch.file("secret")).unwrap().permissions().mode() & 0o777, 0o600);
}
