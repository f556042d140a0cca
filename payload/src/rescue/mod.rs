//! Reading a disk with bad sectors: what can be read first, then the rest, with a map that GNU ddrescue understands.
