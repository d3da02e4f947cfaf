//! The HTTP interface: router, problem details, authentication, API handlers.
