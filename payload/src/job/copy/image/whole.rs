//! An image that an earlier run of this job finished and did not come to certify. What the image holds was read before the
//! interruption, so that the drive is read again and compared, as it is for an unfinished one; the image itself is never begun anew.

use super::{
    super::{
        look::Shared,
        part::{self, Alive},
        run::{self, Content},
        take::{Eyes, TakeError, Taken},
    },
    ImageError, Imaged, Order,
};
use crate::{
    certify::key::PublicStickKey,
    engine::sweep::{Found, Limits, Observer},
    imagefile::{self, Header, Report},
};
use std::path::Path;

/// The image as it stands, where it is whole and the drive holds what it holds.
pub(super) fn whole(
    order: &Order,
    header: &Header,
    own: &PublicStickKey,
    shared: &Shared<'_>,
    account: Option<&Alive>,
    eyes: Eyes<'_>,
    step: &dyn Fn(&str),
) -> Result<Imaged, ImageError> {
    let path = order.path.as_path();
    let content = run::open_content(path).map_err(|why| ImageError::Whole(path.into(), why))?;
    // The certificate says whose signature it is; the manifest may have been another one when it was looked at.
    if content.key != *own {
        return Err(ImageError::Whole(path.into(), "its manifest is signed by somebody else".into()));
    }
    if let Some(account) = account {
        account.with(|account| account.keep()).map_err(|error| ImageError::Io(path.into(), error))?;
    }
    step("read back");
    let begin = (order.clock)();
    let report = if order.verify { Some(read_back(path, &content, order.wish.threads, eyes)?) } else { None };
    let verified = if report.is_some() { (Some(begin), Some((order.clock)())) } else { (None, None) };
    step("image");
    if let Err(Differs(why)) = is_of_drive(&content, header, shared, order.wish.limits, eyes)? {
        // Another command, or the same one for a drive whose images are named by themselves, makes a new image.
        part::forget_job(path).map_err(|error| ImageError::Io(path.into(), error))?;
        return Err(ImageError::Whole(path.into(), why));
    }
    if let Some(account) = account {
        let read = content.manifest.bytes_read;
        let what =
            format!("the image was whole; the {read} bytes it holds of the drive were read again and were the same");
        account.with(|account| account.found(&what));
    }
    let (bytes_read, bytes_free) = (content.manifest.bytes_read, content.manifest.bytes_free);
    Ok(Imaged {
        taken: Taken { bytes_read, bytes_free, unreadable: content.bad },
        manifest: Some((content.manifest, content.manifest_bytes)),
        report,
        verified,
        file_bytes: content.file_bytes,
    })
}

fn read_back(path: &Path, content: &Content, threads: usize, eyes: Eyes<'_>) -> Result<Report, ImageError> {
    let goes_on = |bytes| {
        (eyes.advanced)(bytes);
        !(eyes.stop)()
    };
    let report = imagefile::verify(&content.reader, &content.manifest, threads, None, &goes_on);
    if report.stopped {
        return Err(TakeError::Stopped("it was stopped while it was read back".into()).into());
    }
    if let Some(first) = report.damage.first() {
        return Err(ImageError::Whole(path.into(), first.to_string()));
    }
    if !report.is_good() {
        return Err(ImageError::Whole(path.into(), "it is not whole".into()));
    }
    Ok(report)
}

/// What the drive holds that the image does not.
struct Differs(String);

fn is_of_drive(
    content: &Content,
    header: &Header,
    shared: &Shared<'_>,
    limits: Limits,
    eyes: Eyes<'_>,
) -> Result<Result<(), Differs>, ImageError> {
    if *content.reader.header() != *header {
        return Ok(Err(Differs("how the drive's file systems are read is not the same as then".into())));
    }
    let compared = run::compare(content, &mut shared.lane(), limits, &mut Watch(eyes))?;
    let first = |ranges: &crate::engine::extents::Ranges| ranges.as_slice().first().map(|range| range.start);
    Ok(match (first(&compared.different), first(&compared.unreadable)) {
        (Some(at), _) => Err(Differs(format!("at byte {at} the drive does not hold what it held then"))),
        (None, Some(at)) => Err(Differs(format!("at byte {at} the drive cannot be read"))),
        (None, None) => Ok(()),
    })
}

struct Watch<'a>(Eyes<'a>);

impl Observer for Watch<'_> {
    fn advanced(&mut self, bytes: u64) {
        (self.0.advanced)(bytes);
    }

    fn checkpoint(&mut self, _: u64, _: &Found) {}

    fn stop(&self) -> bool {
        (self.0.stop)()
    }
}
