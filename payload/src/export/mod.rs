//! Images in other formats.
