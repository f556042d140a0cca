//! Going on with a job that was interrupted: its drives are found again by who they are, wherever they are plugged in.

use super::{Authority, Lost, Plan, PlanError, Reason, Refused, Request, Sticks, Target, Waiting, preflight};
use crate::{
    discover::Drive,
    journal::{
        event::{Action, DriveRef},
        replay::{DriveHistory, UnfinishedJob},
    },
    plan::Content,
};
use mule_types::method;

impl Plan {
    /// The plan that finishes `unfinished`. The request must be the one the job began with, word for word: a person who
    /// changed the job file after a power cut changed their mind, and nothing is written.
    pub fn resume(
        unfinished: UnfinishedJob,
        request: Request,
        _authority: &Authority,
        drives: Vec<Drive>,
        sticks: &Sticks,
    ) -> Result<Self, PlanError> {
        let cannot = |why: &str| PlanError::CannotResume(why.into());
        if unfinished.request != request.digest {
            return Err(cannot("the job file is not the one it began with"));
        }
        if let Some(why) = &unfinished.contradiction {
            return Err(PlanError::CannotResume(format!("the log contradicts itself about it: {why}")));
        }
        if !unfinished.was_announced() {
            return Err(cannot("it was stopped before its drives were in the log, and nothing was written"));
        }
        if unfinished.action != Action::Wipe {
            return Err(cannot("it was not a wipe"));
        }
        let method = method::find(&unfinished.method)
            .ok_or_else(|| PlanError::CannotResume(format!("this version has no method {}", unfinished.method)))?;
        let mut plan = Self {
            job: unfinished.job,
            last_seen: Some(unfinished.last_seen()),
            method,
            passes: unfinished.passes.iter().copied().map(Content::from).collect(),
            verify: unfinished.verify,
            operator: request.operator.clone(),
            digest: request.digest,
            selection: request.selection.clone(),
            targets: Vec::new(),
            refused: Vec::new(),
            lost: Vec::new(),
            waiting: Vec::new(),
            missing: Vec::new(),
        };
        let mut rest = drives.clone();
        for history in unfinished.drives {
            plan.place(history, &request, &drives, &mut rest, sticks);
        }
        let outside = rest.into_iter().map(|drive| {
            let reason = preflight::check(&drive, &[], sticks, &request.selection).err();
            Refused { drive, reason: reason.unwrap_or(preflight::Reason::NotNamed) }
        });
        plan.refused.extend(outside);
        Ok(plan)
    }

    fn place(
        &mut self,
        mut history: DriveHistory,
        request: &Request,
        drives: &[Drive],
        rest: &mut Vec<Drive>,
        sticks: &Sticks,
    ) {
        let last_seen = self.last_seen.unwrap_or_default();
        let at = rest.iter().position(|drive| is_same(&history.drive, drive));
        if history.is_over() {
            at.map(|at| rest.remove(at));
            if !history.certified {
                let reason = history.finished.as_ref().map(|(_, reason)| reason.clone()).unwrap_or_default();
                self.lost.push(Lost { history, reason, last_seen });
            }
            return;
        }
        history.finished = None;
        let mut wait = |reason: String| {
            self.waiting.push(Waiting { slot: history.slot, drive: history.drive.clone(), reason });
        };
        let Some(at) = at else {
            // Under another size it may be the same drive: not yet ready, or with an area hidden.
            let resized = rest.iter().find(|drive| is_named(&history.drive, drive));
            let reason = resized.map(|drive| match drive.geometry {
                Ok(_) => Reason::Resized { expected: history.drive.bytes, found: drive.identity.bytes },
                Err(error) => Reason::Geometry(error),
            });
            return wait(reason.map_or_else(|| "it is not here".into(), |reason| reason.to_string()));
        };
        let drive = rest.remove(at);
        match preflight::check(&drive, drives, sticks, &request.selection) {
            Ok(()) => {
                let labels = request.media_fields(&drive);
                let hidden = history.hidden.clone();
                self.targets.push(Target { slot: history.slot, labels, drive, hidden, history: Some(history) });
            }
            Err(reason) => {
                wait(reason.to_string());
                self.refused.push(Refused { drive, reason });
            }
        }
    }
}

/// Whether a drive found now is the one the log names: all that identifies it must agree.
fn is_same(logged: &DriveRef, drive: &Drive) -> bool {
    is_named(logged, drive) && logged.bytes == drive.identity.bytes
}

fn is_named(logged: &DriveRef, drive: &Drive) -> bool {
    let identity = &drive.identity;
    *logged.serial == *identity.serial
        && *logged.model == *identity.model
        && logged.wwn.as_ref().map(|wwn| wwn.as_str()) == identity.wwn.as_deref()
}
