//! What `submit` accepts: the part of the data plane's contract that does not depend on the drive.

use super::{Access, Geometry, IoError, IoErrorKind, Op};

/// Refuses a request that breaks the contract of the data plane before it touches anything.
pub(crate) fn admit(
    (op, offset, len): (Op, u64, u64),
    geometry: Geometry,
    access: Access,
    in_flight: usize,
    depth: usize,
) -> Result<(), IoError> {
    let block = u64::from(geometry.logical());
    let refuse = |kind, detail: String| Err(IoError::new(kind, op, offset, len, detail));
    if access == Access::ReadOnly && op == Op::Write {
        return refuse(IoErrorKind::Refused, "the drive was opened for reading only".into());
    }
    if len == 0 || !len.is_multiple_of(block) || !offset.is_multiple_of(block) {
        return refuse(IoErrorKind::Invalid, format!("not whole blocks of {block} bytes"));
    }
    if offset.checked_add(len).is_none_or(|end| end > geometry.bytes()) {
        return refuse(IoErrorKind::Invalid, format!("reaches past the end of the drive at byte {}", geometry.bytes()));
    }
    if in_flight >= depth {
        return refuse(IoErrorKind::Invalid, format!("{depth} requests are in flight already"));
    }
    Ok(())
}
