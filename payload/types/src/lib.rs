//! The words that the payload and `image-build` share: the layout of the stick, the job file that a new one carries, and the
//! methods with the techniques they ask for. What is done with them is the payload's.
#![forbid(unsafe_code)]

pub mod jobfile;
pub mod method;
pub mod stick;
pub mod technique;
