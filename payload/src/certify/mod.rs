//! Certificates: the record, whether it is consistent, its signature, its renderings, the files.

pub mod check;
#[cfg(test)]
pub(crate) mod fixture;
pub mod html;
pub mod key;
pub mod record;
pub mod signature;
pub mod store;
