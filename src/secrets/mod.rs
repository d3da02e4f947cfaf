//! Key material, encryption of personal data, blind indexes and API key digests.
