//! Image, restore, clone, and drives compared with images.

pub mod digest;
pub mod duplicate;
pub mod gpt;
pub mod image;
pub mod level;
pub mod outlet;
mod sector;
pub mod spread;
pub mod squeeze;
pub mod take;
pub mod target;
