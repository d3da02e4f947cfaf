//! `calendar check|import`.

use crate::support::Site;

#[tokio::test]
async fn the_calendar_is_checked_and_bad_files_are_refused() {
    let site = Site::start().await;
    let checked = site.greenlane(&["calendar", "check"]).await;
    assert!(matches!(checked.code, Some(0 | 1)) && checked.stdout.contains("2026"), "{checked:?}");
    for (name, text) in [("empty.toml", ""), ("broken.toml", "[["), ("nonsense.toml", "year = \"soon\"\n")] {
        std::fs::write(site.scratch.file(name), text).unwrap();
        site.greenlane(&["calendar", "import", name]).await.expect(1);
        site.greenlane(&["calendar", "import", name, "--dry-run"]).await.expect(1);
    }
    site.greenlane(&["calendar", "import", "missing.toml"]).await.expect(1);
}

#[tokio::test]
async fn the_shipped_calendar_can_be_imported_again() {
    let site = Site::start().await;
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/calendar/cn.toml");
    site.greenlane(&["calendar", "import", shipped, "--dry-run"]).await.expect(0);
    site.greenlane(&["calendar", "import", shipped]).await.expect(0);
}
