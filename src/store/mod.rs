//! The `Store` trait and its types; all SQL lives in `postgres` and `sqlite`.
