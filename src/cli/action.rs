//! Records what somebody did on the command line, for the audit.

use serde_json::Value;

use crate::{
    domain::event::{Actor, ActorKind},
    store::{self, Store, types::OperatorAction},
};

/// Whoever has a shell on the machine.
const OPERATOR: &str = "command-line";

/// Records an act of the command line, named `kind`.
///
/// # Errors
/// The database does not answer.
pub async fn record(store: &dyn Store, kind: &str, data: Value) -> store::Result<()> {
    let actor = Actor::new(ActorKind::Operator, OPERATOR);
    store.record_action(&OperatorAction { at: store.now().await?, actor, kind: kind.to_owned(), data }).await
}
