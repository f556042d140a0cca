//! Single reads of a drive, for the places a fast pass left out.

use crate::{
    drive::{AlignedBuf, DataPlane, IoErrorKind},
    engine::frames::{FRAME, read_one},
    rescue::{Medium, Trouble},
};
use std::time::Duration;

/// A drive as the rescue sees it.
pub(super) struct Sectors<'a> {
    plane: &'a mut dyn DataPlane,
    hang: Duration,
    spare: Option<AlignedBuf>,
}

impl<'a> Sectors<'a> {
    pub(super) fn new(plane: &'a mut dyn DataPlane, hang: Duration) -> Self {
        Self { plane, hang, spare: None }
    }
}

impl Medium for Sectors<'_> {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Trouble> {
        let mut own = match self.spare.take() {
            Some(own) => own,
            None => AlignedBuf::zeroed(FRAME).map_err(|error| Trouble::Gone(error.to_string()))?,
        };
        own.set_len(buf.len().min(FRAME));
        match read_one(self.plane, offset, own, self.hang) {
            Ok(own) => {
                buf.copy_from_slice(&own);
                self.spare = Some(own);
                Ok(())
            }
            Err((error, own)) => {
                self.spare = own;
                match error.kind {
                    IoErrorKind::Media => Err(Trouble::Bad),
                    _ => Err(Trouble::Gone(error.to_string())),
                }
            }
        }
    }

    fn block(&self) -> u32 {
        self.plane.geometry().logical()
    }
}
