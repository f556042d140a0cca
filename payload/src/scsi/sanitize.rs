//! SCSI SANITIZE (SBC-4, 5.31), and how far it is (SPC-4, 4.5.2.4.4).

pub use mule_types::technique::scsi::Action;

use super::sense::Sense;

/// Sense key NOT READY, with the code LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS.
const IN_PROGRESS: (u8, u8, u8) = (0x2, 0x04, 0x1b);
/// Sense key MEDIUM ERROR, with the code SANITIZE COMMAND FAILED.
const FAILED: (u8, u8, u8) = (0x3, 0x31, 0x03);
/// Descriptor type of the sense key specific descriptor.
const SENSE_KEY_SPECIFIC: u8 = 0x02;

/// SERVICE ACTION.
fn service(action: Action) -> u8 {
    match action {
        Action::Overwrite => 0x01,
        Action::BlockErase => 0x02,
        Action::CryptographicErase => 0x03,
        Action::ExitFailureMode => 0x1f,
    }
}

/// The parameter list that goes with an action: for an overwrite one pass, no inversion, a pattern of four zero bytes.
pub fn parameters(action: Action) -> &'static [u8] {
    match action {
        Action::Overwrite => &[0x01, 0, 0, 4, 0, 0, 0, 0],
        Action::BlockErase | Action::CryptographicErase | Action::ExitFailureMode => &[],
    }
}

/// SANITIZE (48h) with IMMED, so that it answers before it has ended, and AUSE, so that a failure can be left by
/// [`Action::ExitFailureMode`].
pub fn cdb(action: Action) -> [u8; 10] {
    let unrestricted = if action == Action::ExitFailureMode { 0 } else { 1 << 5 };
    let [.., length] = parameters(action).len().to_be_bytes();
    [0x48, 1 << 7 | unrestricted | service(action), 0, 0, 0, 0, 0, 0, length, 0]
}

/// REPORT SUPPORTED OPERATION CODES (A3h/0Ch) for one service action of SANITIZE (SPC-4, 6.35); [`supported`] reads the
/// answer.
pub fn ask_support(action: Action) -> [u8; 12] {
    [0xa3, 0x0c, 0x02, 0x48, 0, service(action), 0, 0, 0, 64, 0, 0]
}

/// Whether a drive knows the command it was asked about: SUPPORT is 3, or 5 for a maker's own way. `None` where it says
/// neither yes nor no.
pub fn supported(data: &[u8]) -> Option<bool> {
    match data.get(1)? & 7 {
        3 => Some(true),
        1 => Some(false),
        _ => None,
    }
}

/// REQUEST SENSE (03h) with descriptors wanted or not.
pub fn request_sense(descriptors: bool) -> [u8; 6] {
    [0x03, u8::from(descriptors), 0, 0, 252, 0]
}

/// What a drive says of its sanitize operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Working; in 65,536ths of the whole where it says how far.
    InProgress(Option<u16>),
    /// Failed, and stays so until told otherwise.
    Failed,
    /// Neither: done, or never begun. Sense data do not tell which.
    Idle,
    /// Sense data of something else.
    Other(Sense),
}

/// Reads the parameter data of REQUEST SENSE, or the sense data of any command. `None` where it is no sense data.
pub fn status(bytes: &[u8]) -> Option<Status> {
    let sense = Sense::parse(bytes)?;
    Some(match (sense.key, sense.asc, sense.ascq) {
        IN_PROGRESS => Status::InProgress(progress(bytes)),
        FAILED => Status::Failed,
        (0, 0, 0) => Status::Idle,
        _ => Status::Other(sense),
    })
}

/// PROGRESS INDICATION, where SKSV says that it is there.
fn progress(bytes: &[u8]) -> Option<u16> {
    let specific: [u8; 3] = if matches!(bytes.first()? & 0x7f, 0x70 | 0x71) {
        *bytes.get(15..18)?.first_chunk()?
    } else {
        let mut rest = bytes.get(8..)?;
        loop {
            let [kind, len, body @ ..] = rest else { return None };
            let body = body.get(..usize::from(*len))?;
            if *kind == SENSE_KEY_SPECIFIC {
                break *body.get(2..5)?.first_chunk()?;
            }
            rest = &rest[2 + body.len()..];
        }
    };
    (specific[0] & 0x80 != 0).then(|| u16::from_be_bytes([specific[1], specific[2]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CDBs and parameter lists of sg_sanitize 1.46 (sg3-utils): `--overwrite --zero --ause`, `--block --ause`,
    /// `--crypto --ause`, `--fail`, all `--early`, and of `sg_opcodes --opcode=0x48,2` but for its allocation length;
    /// seen at the ioctl.
    #[test]
    fn the_commands_are_those_of_sg3_utils() {
        assert_eq!(cdb(Action::Overwrite), [0x48, 0xa1, 0, 0, 0, 0, 0, 0, 8, 0]);
        assert_eq!(parameters(Action::Overwrite), [1, 0, 0, 4, 0, 0, 0, 0]);
        assert_eq!(cdb(Action::BlockErase), [0x48, 0xa2, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(cdb(Action::CryptographicErase), [0x48, 0xa3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(cdb(Action::ExitFailureMode), [0x48, 0x9f, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(request_sense(true), [3, 1, 0, 0, 0xfc, 0]);
        assert_eq!(request_sense(false), [3, 0, 0, 0, 0xfc, 0]);
        assert_eq!(ask_support(Action::BlockErase), [0xa3, 0x0c, 2, 0x48, 0, 2, 0, 0, 0, 64, 0, 0]);
    }

    #[test]
    fn support_is_said_or_not_said() {
        assert_eq!(supported(&[0, 3]), Some(true));
        assert_eq!(supported(&[0, 1]), Some(false));
        assert_eq!((supported(&[0, 0]), supported(&[0])), (None, None));
    }

    #[test]
    fn progress_comes_from_either_format() {
        let mut fixed = [0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x04, 0x1b, 0, 0x80, 0x40, 0x01];
        assert_eq!(status(&fixed), Some(Status::InProgress(Some(0x4001))));
        fixed[15] = 0;
        assert_eq!(status(&fixed), Some(Status::InProgress(None)));
        let head = [0x72, 2, 0x04, 0x1b, 0, 0, 0, 12, 0x03, 2, 0, 0];
        let descriptors = [&head[..], &[0x02, 6, 0, 0, 0x80, 0x40, 0x01, 0]].concat();
        assert_eq!(status(&descriptors), Some(Status::InProgress(Some(0x4001))));
        for len in 0..descriptors.len() - 1 {
            assert_ne!(status(&descriptors[..len]), Some(Status::InProgress(Some(0x4001))));
        }
    }

    #[test]
    fn failure_idleness_and_the_rest_are_told_apart() {
        let sense = |key, asc, ascq| status(&[0x72, key, asc, ascq, 0, 0, 0, 0]);
        assert_eq!(sense(3, 0x31, 3), Some(Status::Failed));
        assert_eq!(sense(0, 0, 0), Some(Status::Idle));
        assert!(matches!(sense(2, 0x3a, 0), Some(Status::Other(_))));
        assert_eq!(status(&[]), None);
    }
}
