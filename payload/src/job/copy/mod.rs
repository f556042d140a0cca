//! Image, restore, clone, and drives compared with images.

pub mod digest;
pub mod gpt;
pub mod level;
pub mod outlet;
pub mod spread;
pub mod target;
