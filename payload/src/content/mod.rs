//! What a disk holds: partition table, file systems, and which blocks they use, where that can be proved.
