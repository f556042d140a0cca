//! The `.img.zst` container and its manifest.
