//! Which entry can follow which. Only what no run of this program writes is called a contradiction: a job whose entries
//! contradict each other must not go on, and a job that merely had bad luck must.

use super::{DriveHistory, JobHistory};
use crate::journal::event::{Action, DriveRef, Event, Extent, MAX_DRIVES, Outcome, Progress, Sweep, Verify};
use mule_types::method;

/// Bad places kept of one job; a sweep gives a drive up after far fewer.
pub(super) const MAX_EXTENTS: usize = 32 * 1024;
/// Interruptions kept of one drive.
pub(super) const MAX_INTERRUPTIONS: usize = 200;

type Verdict = Result<(), &'static str>;

fn expect(holds: bool, otherwise: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Whether `event` can be true after what the job's history holds; `runs` is the number of this run of the machine.
pub(super) fn check(job: &JobHistory, event: &Event, runs: u64) -> Verdict {
    match event {
        Event::DriveStarted { slot, .. } => {
            let announced = *slot < job.announced && usize::from(*slot) < MAX_DRIVES;
            expect(announced, "a drive began that the job did not announce")?;
            expect(job.drives.iter().all(|drive| drive.slot != *slot), "a drive began twice")
        }
        Event::Checkpoint { drives, .. } => drives.iter().try_for_each(|progress| checkpoint(job, progress)),
        Event::JobResumed { .. } => {
            let full = job.drives.iter().any(|drive| drive.interruptions.len() >= MAX_INTERRUPTIONS);
            expect(!full, "the job was interrupted more often than this version keeps account of")
        }
        Event::SweepStarted { slot, sweep, .. } => may_start(job, running(job, *slot)?, *sweep),
        Event::Defects { slot, sweep, extents, .. } => {
            let drive = running(job, *slot)?;
            expect(has(drive, *sweep), "bad places were found in a sweep that never began")?;
            expect(extents.iter().all(|extent| within(&drive.drive, extent)), "a bad place behind the drive's end")?;
            let kept: usize = job.drives.iter().map(|drive| drive.defects.len()).sum();
            expect(kept + extents.len() <= MAX_EXTENTS, "more bad places than this version keeps account of")
        }
        Event::SweepFinished { slot, sweep, bytes, .. } => may_finish(running(job, *slot)?, *sweep, *bytes),
        Event::DriveRestarted { slot, .. } => running(job, *slot).map(drop),
        Event::DriveWaits { slot, .. } => {
            let drive = running(job, *slot)?;
            let resumed = drive.interruptions.last().is_some_and(|last| last.resumed.is_some());
            expect(resumed, "a drive was waited for in a job that did not go on")
        }
        Event::HiddenAreas { slot, after, .. } => {
            let drive = running(job, *slot)?;
            expect(
                drive.sweeps.is_empty() && drive.hidden.is_none(),
                "hidden areas were looked for after a sweep began",
            )?;
            let shown = after.visible == drive.drive.bytes;
            expect(shown, "a drive that shows another size than it began with")
        }
        Event::CommandStarted { slot, .. } => {
            let drive = running(job, *slot)?;
            expect(commanded(job), "a command that the job does not have")?;
            expect(is_done(drive, Sweep::MarkersRead), "a command before its markers were read back")?;
            expect(drive.command.is_none(), "a command was sent twice")
        }
        Event::CommandEnded { slot, .. } => {
            let drive = running(job, *slot)?;
            let sent = drive.command.as_ref().is_some_and(|command| command.ended.is_none());
            expect(sent, "a command ended that was not sent")
        }
        Event::Inspected { slot, .. } => {
            expect(has(running(job, *slot)?, Sweep::Verify), "kinds of data were read in a sweep that never began")
        }
        Event::DriveFinished { slot, outcome, .. } => finished(job, started(job, *slot)?, *outcome, runs),
        Event::Certified { slot, .. } => {
            let drive = started(job, *slot)?;
            expect(drive.finished.is_some(), "a drive was certified before it was finished")?;
            expect(!drive.certified, "a drive was certified twice")
        }
        _ => Ok(()),
    }
}

fn started(job: &JobHistory, slot: u8) -> Result<&DriveHistory, &'static str> {
    job.drives.iter().find(|drive| drive.slot == slot).ok_or("an entry of a drive that never began")
}

fn running(job: &JobHistory, slot: u8) -> Result<&DriveHistory, &'static str> {
    started(job, slot).and_then(|drive| match drive.finished {
        None => Ok(drive),
        Some(_) => Err("a drive went on after it was finished"),
    })
}

fn has(drive: &DriveHistory, sweep: Sweep) -> bool {
    drive.sweeps.iter().any(|past| past.sweep == sweep)
}

fn is_done(drive: &DriveHistory, sweep: Sweep) -> bool {
    drive.sweeps.iter().any(|past| past.sweep == sweep && past.finished_at.is_some())
}

fn within(drive: &DriveRef, extent: &Extent) -> bool {
    extent.start.checked_add(extent.len).is_some_and(|end| end <= drive.bytes)
}

/// One may come after the drive's end: they are gathered while it works and logged together.
fn checkpoint(job: &JobHistory, progress: &Progress) -> Verdict {
    let drive = started(job, progress.slot)?;
    expect(has(drive, progress.sweep), "a checkpoint in a sweep that never began")?;
    expect(progress.offset <= drive.drive.bytes, "a checkpoint behind the drive's end")
}

/// Whether the job's method asks the drives' firmware.
fn commanded(job: &JobHistory) -> bool {
    method::find(&job.method).is_some_and(|method| method.command.is_some())
}

/// The sweeps of a job that come before one.
fn before(job: &JobHistory, sweep: Sweep) -> Vec<Sweep> {
    let passes = match sweep {
        Sweep::Pass(number) => usize::from(number),
        Sweep::Verify => job.passes.len(),
        Sweep::MarkersWritten => return Vec::new(),
        Sweep::MarkersRead => return vec![Sweep::MarkersWritten],
        Sweep::MarkersGone => return vec![Sweep::MarkersWritten, Sweep::MarkersRead],
    };
    // Without a pass, the verification is what looks for the markers.
    let markers = [Sweep::MarkersWritten, Sweep::MarkersRead, Sweep::MarkersGone];
    let needed = match (commanded(job), job.passes.is_empty()) {
        (false, _) => 0,
        (true, true) => 2,
        (true, false) => 3,
    };
    markers.into_iter().take(needed).chain((0..=u8::MAX).take(passes).map(Sweep::Pass)).collect()
}

fn may_start(job: &JobHistory, drive: &DriveHistory, sweep: Sweep) -> Verdict {
    if job.action != Action::Wipe {
        return Ok(());
    }
    let known = match sweep {
        Sweep::Pass(number) => usize::from(number) < job.passes.len(),
        Sweep::Verify => true,
        Sweep::MarkersWritten | Sweep::MarkersRead | Sweep::MarkersGone => commanded(job),
    };
    expect(known, "a pass began that the job does not have")?;
    let after_command = !matches!(sweep, Sweep::MarkersWritten | Sweep::MarkersRead);
    expect(!after_command || !commanded(job) || has_ended(drive), "a sweep began before the command before it ended")?;
    expect(before(job, sweep).iter().all(|past| is_done(drive, *past)), "a sweep began before the one before it ended")
}

/// Whether the drive said that its command succeeded.
fn has_ended(drive: &DriveHistory) -> bool {
    drive.command.as_ref().is_some_and(|command| command.ended.is_some())
}

/// After a power cut a verification that had ended is done again; a pass is not.
fn may_finish(drive: &DriveHistory, sweep: Sweep, bytes: u64) -> Verdict {
    expect(has(drive, sweep), "a sweep ended that never began")?;
    let again = matches!(sweep, Sweep::Verify | Sweep::MarkersGone);
    expect(again || !is_done(drive, sweep), "a pass ended twice")?;
    expect(bytes <= drive.drive.bytes, "a sweep dealt with more bytes than the drive has")
}

/// The power may go between a drive's end and its certificate. The next run then says again how it ended, and never
/// better than before.
fn finished(job: &JobHistory, drive: &DriveHistory, outcome: Outcome, runs: u64) -> Verdict {
    let failed = matches!(outcome, Outcome::Failed | Outcome::Interrupted);
    if let Some((before, _)) = &drive.finished {
        expect(!drive.certified && drive.finished_in < runs, "a drive was finished twice")?;
        expect(failed || *before == outcome, "a drive was finished again with a better outcome")?;
    }
    expect(outcome.ends(job.action), "a drive ended as no drive of such a job can")?;
    if failed || job.action != Action::Wipe {
        return Ok(());
    }
    let verified = job.verify == Verify::None || is_done(drive, Sweep::Verify);
    let written = before(job, Sweep::Verify).iter().all(|pass| is_done(drive, *pass));
    let commanded = !commanded(job) || has_ended(drive);
    expect(written && verified && commanded, "a drive was called erased before its last sweep ended")
}
