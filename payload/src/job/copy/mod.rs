//! Image, restore, clone, and drives compared with images.

mod ahead;
mod commit;
pub mod digest;
pub mod duplicate;
pub mod fit;
pub mod flatten;
pub mod gpt;
pub mod hashes;
mod hit;
pub mod hold;
pub mod image;
pub mod level;
mod look;
mod mbr;
pub mod name;
pub mod outlet;
pub mod part;
pub mod prove;
pub mod run;
mod sample;
mod sector;
mod settle;
pub mod spread;
pub mod squeeze;
pub mod take;
pub mod target;
mod void;

#[cfg(test)]
mod tests;
