//! Reading a disk with bad sectors: what can be read first, then the rest, with a map that GNU ddrescue understands.

mod map;
mod skipper;
mod strategy;

pub use map::{Area, Map, MapError, Status};
pub use skipper::Skipper;
pub use strategy::{End, Medium, Settings, Sink, Trouble, rescue};
