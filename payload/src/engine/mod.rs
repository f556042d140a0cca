//! The only loop over blocks, and what it needs: patterns, ranges, samples.

pub mod extents;
pub mod frames;
pub mod kinds;
pub(crate) mod ordered;
pub mod pattern;
pub mod sampling;
pub mod sweep;
