//! Files in an image, without restoring it.
