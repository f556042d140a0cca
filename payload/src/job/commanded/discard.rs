//! The one command that goes through the block layer, to any drive that takes it, and the one that erases nothing.

use super::Beside;
use crate::{
    drive::DataPlane,
    firmware::{
        Watcher as _,
        erase::{Chosen, Evidence, Failure, Refusal},
    },
};
use mule_types::technique::Technique;

/// Bytes between two looks at whether to stop.
const STEP: u64 = 1 << 30;

/// Whether the drive can be told to discard.
pub(super) fn choose(plane: &dyn DataPlane) -> Result<Chosen, Refusal> {
    if plane.discards() {
        return Ok(Chosen { technique: Technique::Discard, purge: None, estimate: None });
    }
    Err(Refusal { why: "the drive takes no discards (TRIM, UNMAP, Deallocate) here".into(), frozen: false })
}

/// Discards every block. There is nothing to see of it but the kernel's word.
pub(super) fn carry_out(plane: &mut dyn DataPlane, beside: &mut Beside<'_>) -> Result<Evidence, Failure> {
    let failed = |why: String, stopped| Failure { why, stopped };
    let bytes = plane.geometry().bytes();
    let mut offset = 0;
    while offset < bytes {
        if beside.stop() {
            return Err(failed("the discard was stopped before its end".into(), true));
        }
        let len = STEP.min(bytes - offset);
        plane.discard(offset, len).map_err(|error| failed(error.to_string(), false))?;
        offset += len;
        let share = u128::from(offset) * 65_535 / u128::from(bytes);
        beside.progress(u16::try_from(share).ok());
    }
    plane.flush().map_err(|error| failed(error.to_string(), false))?;
    Ok(Evidence::ReportedOnly)
}

#[cfg(test)]
#[path = "discard_tests.rs"]
mod tests;
