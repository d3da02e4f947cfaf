//! Logs, metrics and their field names.
