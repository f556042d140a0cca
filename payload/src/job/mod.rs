//! A job over many drives: claim, overwrite, verify, certify, each drive on a thread of its own.

pub mod claim;
pub mod commanded;
pub mod copy;
pub mod facts;
pub mod heat;
mod held;
pub mod hidden;
pub mod issue;
mod observer;
pub mod passwords;
mod recheck;
pub mod record;
pub mod retain;
pub mod run;
pub mod shelves;
pub mod show;
pub mod stages;
pub mod status;
pub mod thaw;
pub mod verify;
mod who;

#[cfg(test)]
mod tests;
