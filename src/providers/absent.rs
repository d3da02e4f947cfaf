//! A registry that is not there.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    answer::RegistryAnswer,
    ports::{CallError, DocumentRef, Registry},
};
use crate::domain::application::WaitReason;

/// How long from now a caller may ask again.
const WAIT: Duration = Duration::from_secs(30);

/// The registry of a process for which none is configured: it is never called.
#[derive(Debug, Clone, Copy)]
pub struct Absent;

fn absent() -> CallError {
    CallError::Blocked { reason: WaitReason::CircuitOpen, wait: WAIT }
}

#[async_trait]
impl Registry for Absent {
    async fn query_licence(&self, _document: DocumentRef<'_>, _request_id: &str) -> Result<RegistryAnswer, CallError> {
        Err(absent())
    }

    async fn query_photo(&self, _document: DocumentRef<'_>, _request_id: &str) -> Result<Option<Vec<u8>>, CallError> {
        Err(absent())
    }
}
