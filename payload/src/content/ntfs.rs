use super::{doubt::Doubt, map::Counted};
use crate::blocks::ReadAt;
use std::ops::Range;
pub(super) fn label(_: &dyn ReadAt) -> Option<String> {
    None
}
pub(super) fn prove(_: &dyn ReadAt, _: &[Range<u64>]) -> Result<Counted, Doubt> {
    Err(Doubt::unhandled("not yet"))
}
