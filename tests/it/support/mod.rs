//! What the tests are written with.

pub mod api;
pub mod browser;
pub mod database;
pub mod photo;
pub mod program;
pub mod redis;
pub mod sample;
pub mod scratch;
pub mod simulator;
pub mod sink;
pub mod site;

pub use api::{Answer, Api, BOUND, fresh_key};
pub use database::Database;
pub use sample::{Sample, sample};
pub use site::Site;

/// Declares a test that runs on SQLite and on PostgreSQL.
///
/// ```text
/// on_both_databases! {
///     async fn an_application_is_issued(database) {
///         let site = Site::on(database).start().await;
///         …
///     }
/// }
/// ```
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)+) => {
        $($(#[$meta])* mod $name {
            use super::*;

            async fn check($database: $crate::support::Database) $body

            #[tokio::test]
            async fn on_sqlite() {
                check($crate::support::Database::sqlite()).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                check($crate::support::Database::postgres().await).await;
            }
        })+
    };
}
pub(crate) use on_both_databases;
