//! Names of log fields and span fields: dotted, with the unit at the end. Use them as
//! `info!({ fields::STAGE_NAME } = %stage, "…")`, or write the same name out.

/// The application.
pub const APPLICATION_ID: &str = "application.id";
/// Its kind.
pub const APPLICATION_KIND: &str = "application.kind";
/// The stage's wire name.
pub const STAGE_NAME: &str = "stage.name";
/// The workflow and version, e.g. `first_issue@1`.
pub const WORKFLOW_ID: &str = "workflow.id";
/// The job.
pub const JOB_ID: &str = "job.id";
/// The job's fence at this claim.
pub const JOB_FENCE: &str = "job.fence";
/// Which attempt, from 1.
pub const JOB_ATTEMPT: &str = "job.attempt";
/// The process's name, new at every start.
pub const WORKER_NAME: &str = "worker.name";
/// The review task.
pub const REVIEW_ID: &str = "review.id";
/// The webhook delivery.
pub const WEBHOOK_ID: &str = "webhook.id";
/// The photo.
pub const PHOTO_ID: &str = "photo.id";
/// The licence.
pub const LICENCE_ID: &str = "licence.id";
/// `registry`, `face`, `sms`, `push`.
pub const PROVIDER_NAME: &str = "provider.name";
/// The provider's own error code.
pub const PROVIDER_CODE: &str = "provider.code";
/// Our stable error code.
pub const ERROR_CODE: &str = "error.code";
/// The error with its causes; never personal data.
pub const ERROR_MESSAGE: &str = "error.message";
/// The request's id, also sent to providers.
pub const REQUEST_ID: &str = "request.id";
/// `GET`, `POST`, …
pub const HTTP_METHOD: &str = "http.method";
/// The route's pattern, never the path.
pub const HTTP_ROUTE: &str = "http.route";
/// The answer's status.
pub const HTTP_STATUS: &str = "http.status";
/// The id of the API key.
pub const KEY_ID: &str = "key.id";
/// How long it took.
pub const DURATION_MS: &str = "duration_ms";
/// How long until it is done again.
pub const DELAY_MS: &str = "delay_ms";
/// How many things it was.
pub const COUNT: &str = "count";

#[cfg(test)]
mod tests {
    #[test]
    fn a_constant_names_a_field() {
        // Compiles only as long as `tracing` accepts constants for names.
        tracing::debug!({ super::STAGE_NAME } = "generation", "test");
    }
}
