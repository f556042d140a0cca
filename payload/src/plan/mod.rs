//! From what was asked to what may be done: methods, selection, preflight, authorisation.

pub mod content;
pub mod method;

pub use content::Content;
