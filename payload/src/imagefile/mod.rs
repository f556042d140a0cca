//! The `.img.zst` container and its manifest: a whole disk as a zstd stream that any `zstd` unpacks, with an index, so that
//! any MiB of it can be read and proved alone.
//!
//! In the order of the file, every part a zstd frame or a skippable frame (RFC 8878, 3.1.2), all numbers little-endian:
//!
//! 1. the header (0x184D2A50): JSON, [`Header`];
//! 2. for every group of 1024 MiB of the disk: a zstd frame for each MiB, with content size and checksum (neighbours of one value,
//!    zeros above all, are one frame of RLE blocks, 4 bytes for 128 KiB; a differential image has only the changed ones), the group's
//!    index (0x184D2A51; `index.rs` has its bytes), and for a used-block image the lines of an allocation map (0x184D2A52):
//!    `0xPOS  0xSIZE  +` for what was read and `?` for what the file system calls free, as in GNU ddrescue's mapfile;
//! 3. where something could not be read, GNU ddrescue's mapfile (0x184D2A54);
//! 4. the seek table of the zstd seekable format 0.1.0 (0x184D2A5E).
//!
//! A MiB that cannot be read at first gets a *slot*: a zstd frame padded with a skippable frame (0x184D2A53) to a fixed size,
//! so that its content can be written later without moving what follows. Until that is done an unfinished image may end with a
//! write-ahead log (0x184D2A55; `ahead.rs`); a finished one never does.

mod ahead;
mod codec;
mod constant;
mod format;
mod in_use;
mod index;
mod manifest;
mod reader;
mod resume;
mod slots;
mod table;
#[cfg(test)]
mod tests;
mod unpacker;
mod unreadable;
mod verify;
mod volumes;
mod writer;

pub use codec::{Compressor, Decompressor, STORE};
pub use constant::constant;
pub use format::{FRAME, GROUP, Header, Mode};
pub use in_use::InUse;
pub use index::State;
pub use manifest::{BadArea, Base, Group, Manifest, ManifestError, Partition, Signed, Volume};
pub use reader::{ReadError, Reader, peek};
pub use resume::Met;
pub use unpacker::{Unpacked, Unpacker};
pub use unreadable::unreadable;
pub use verify::{Damage, Report, verify};
pub use volumes::{VolumeError, names_of, not_in_use, remove, strays};
pub use writer::{Entry, Finished, WriteError, Writer};
