//! Applications from submission to the last notification.

mod face;
mod kinds;
mod notifications;
mod peculiar;
mod registry;
