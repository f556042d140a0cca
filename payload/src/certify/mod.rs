//! Certificates: the records of erasures and of copies, whether they are consistent, their signature, their renderings, the
//! files.

mod certificate;
pub mod check;
pub mod copy;
pub mod erasure;
#[cfg(test)]
pub(crate) mod fixture;
pub mod html;
pub mod key;
mod parts;
pub mod record;
pub mod signature;
pub mod store;

pub use certificate::{Certifiable, Certificate, CertificateError, Common};
