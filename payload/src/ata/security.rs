//! Commands of the security feature set (ATA8-ACS, 4.19 and 7.42 to 7.47; ACS-3, 4.18).

pub use mule_types::technique::ata::Scope;

use super::command::{NON_DATA, PIO_OUT, Taskfile};

/// The user password of every security erase: public, so that the owner of a drive whose erase was cut short can open
/// it with any program (`hdparm --user-master u --security-disable mule /dev/sdX`). It protects nothing and need not.
/// The four letters, then zeros up to 32 bytes.
pub const PASSWORD: [u8; 32] = {
    let mut password = [0; 32];
    let text = PASSWORD_TEXT.as_bytes();
    let mut index = 0;
    while index < text.len() {
        password[index] = text[index];
        index += 1;
    }
    password
};

/// [`PASSWORD`] as a person types it.
pub const PASSWORD_TEXT: &str = "mule";

/// SECURITY SET PASSWORD (F1h). Sent with [`password_block`].
pub fn set_password() -> Taskfile {
    Taskfile { command: 0xf1, ..PIO_OUT }
}

/// SECURITY UNLOCK (F2h). Sent with [`password_block`].
pub fn unlock() -> Taskfile {
    Taskfile { command: 0xf2, ..PIO_OUT }
}

/// SECURITY ERASE PREPARE (F3h): must come right before the erase.
pub fn erase_prepare() -> Taskfile {
    Taskfile { command: 0xf3, ..NON_DATA }
}

/// SECURITY ERASE UNIT (F4h). Sent with [`erase_block`]. Answers when the erase has ended, hours later.
pub fn erase_unit() -> Taskfile {
    Taskfile { command: 0xf4, ..PIO_OUT }
}

/// SECURITY DISABLE PASSWORD (F6h). Sent with [`password_block`].
pub fn disable_password() -> Taskfile {
    Taskfile { command: 0xf6, ..PIO_OUT }
}

/// The data of SET PASSWORD, UNLOCK and DISABLE PASSWORD: word 0 bit 0 clear for the user password, bit 8 clear for
/// master password capability "high" (the maker's master password opens the drive as well), words 1-16 the password.
pub fn password_block() -> [u8; 512] {
    let mut block = [0; 512];
    block[2..34].copy_from_slice(&PASSWORD);
    block
}

/// The data of ERASE UNIT: as [`password_block`], with word 0 bit 1 for an enhanced erase.
pub fn erase_block(scope: Scope) -> [u8; 512] {
    let mut block = password_block();
    block[0] = match scope {
        Scope::Normal => 0,
        Scope::Enhanced => 1 << 1,
    };
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::ata_pass_through_16;

    /// The CDBs hdparm 9.65 sends for `--security-set-pass`, `-unlock`, `-erase` (F3, F4) and `-disable`, seen at the
    /// ioctl. Byte 13 (DEVICE) is 40h there and A0h here: those bits are obsolete or not applicable in these commands.
    #[test]
    fn the_commands_are_those_of_hdparm() {
        let data_out = |command| [0x85, 0x0a, 0x06, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xa0, command, 0];
        assert_eq!(ata_pass_through_16(&set_password()), data_out(0xf1));
        assert_eq!(ata_pass_through_16(&unlock()), data_out(0xf2));
        assert_eq!(ata_pass_through_16(&erase_unit()), data_out(0xf4));
        assert_eq!(ata_pass_through_16(&disable_password()), data_out(0xf6));
        let prepare = [0x85, 0x06, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xf3, 0];
        assert_eq!(ata_pass_through_16(&erase_prepare()), prepare);
    }

    /// The data hdparm 9.65 sends with the password `mule`, for the user, level high: 00 00 6d 75 6c 65 00 ..., and 02
    /// in front for `--security-erase-enhanced`.
    #[test]
    fn the_password_block_is_that_of_hdparm() {
        let head = [0, 0, 0x6d, 0x75, 0x6c, 0x65, 0, 0];
        for (block, first) in
            [(password_block(), 0), (erase_block(Scope::Normal), 0), (erase_block(Scope::Enhanced), 2)]
        {
            assert_eq!((block[0], &block[1..8]), (first, &head[1..]));
            assert!(block[8..].iter().all(|byte| *byte == 0));
        }
    }
}
