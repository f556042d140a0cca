use super::*;
use rustix::fs::{CWD, FileType, Mode};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
};
