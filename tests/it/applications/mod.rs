//! `/v1/applications`.

mod batch;
mod cancel;
mod hostile;
mod idempotency;
mod read;
mod submit;
