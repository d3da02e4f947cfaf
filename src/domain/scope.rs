//! What somebody may do: said of API keys, and in the same words of the roles of people.

use super::wire::wire_enum;

wire_enum! {
    /// What an API key may do.
    pub enum Scope as "scope" {
        /// Submit and cancel applications, upload photos.
        ApplicationsWrite = "applications:write",
        /// Read one's own applications.
        ApplicationsRead = "applications:read",
        /// Claim and decide photo reviews.
        Reviews = "reviews",
        /// Settle what reviewers pass on: reassign, take over, reopen.
        ReviewsSupervise = "reviews:supervise",
        /// Read and present licences.
        LicencesPresent = "licences:present",
        /// Verify presented licences.
        LicencesVerify = "licences:verify",
        /// See everything that operators see, of all owners.
        OpsRead = "ops:read",
        /// Act as an operator.
        OpsWrite = "ops:write",
        /// Search the audit log.
        AuditRead = "audit:read",
        /// Keep users and keys.
        Admin = "admin",
    }
}
