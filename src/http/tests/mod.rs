//! The interface as callers meet it, without a network and without workers.

mod applications;
mod bulk;
mod conventions;
mod licences;
mod operations;
mod reviews;
mod site;
