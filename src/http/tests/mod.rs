//! The interface as callers meet it, without a network and without workers.

mod applications;
mod conventions;
mod licences;
mod operations;
mod reviews;
mod site;
