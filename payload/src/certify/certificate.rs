//! Any certificate: what all kinds have in common, and which kind some bytes are.

use super::{
    check,
    copy::{self, CopyRecord},
    html,
    record::{self, Host, LogReference, Media, Operator, Record, Tool, Validation, Verification},
    store,
};
use serde::{Deserialize, Serialize};

/// What every certificate says.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    pub id: &'a str,
    /// `erase`, `image`, `restore`, `clone` or `verify`.
    pub action: &'static str,
    pub outcome: &'a str,
    pub statement: &'a str,
    /// Why the outcome has a reservation; blank where it has none.
    pub reason: &'a str,
    pub media: &'a Media,
    pub verification: &'a Verification,
    /// RFC 3339, UTC.
    pub started: &'a str,
    pub finished: &'a str,
    pub operator: &'a Operator,
    pub validation: &'a Validation,
    pub tool: &'a Tool,
    pub host: &'a Host,
    pub log: &'a LogReference,
    pub limits: &'a [String],
}

/// A record that can be checked, signed, stored and rendered.
pub trait Certifiable {
    fn common(&self) -> Common<'_>;
    /// Why it cannot be true; empty where it can.
    fn contradictions(&self) -> Vec<String>;
    /// The page to read and print. `name` is the JSON's file name, `sha256` that of its bytes.
    fn page(&self, name: &str, sha256: &[u8]) -> String;
    /// The exact bytes that are signed.
    fn json(&self) -> Result<Vec<u8>, store::StoreError>;
}

impl Certifiable for Record {
    fn common(&self) -> Common<'_> {
        Common {
            id: &self.id,
            action: "erase",
            outcome: &self.outcome,
            statement: &self.statement,
            reason: &self.sanitisation.reason,
            media: &self.media,
            verification: &self.verification,
            started: &self.sanitisation.started,
            finished: &self.sanitisation.finished,
            operator: &self.operator,
            validation: &self.validation,
            tool: &self.tool,
            host: &self.host,
            log: &self.log,
            limits: &self.limits,
        }
    }

    fn contradictions(&self) -> Vec<String> {
        check::erasure::contradictions(self)
    }

    fn page(&self, name: &str, sha256: &[u8]) -> String {
        html::erasure::page(self, name, sha256)
    }

    fn json(&self) -> Result<Vec<u8>, store::StoreError> {
        store::json(self)
    }
}

impl Certifiable for CopyRecord {
    fn common(&self) -> Common<'_> {
        Common {
            id: &self.id,
            action: self.action.word(),
            outcome: self.outcome.word(),
            statement: &self.statement,
            reason: &self.copy.reason,
            media: &self.media,
            verification: &self.verification,
            started: &self.copy.started,
            finished: &self.copy.finished,
            operator: &self.operator,
            validation: &self.validation,
            tool: &self.tool,
            host: &self.host,
            log: &self.log,
            limits: &self.limits,
        }
    }

    fn contradictions(&self) -> Vec<String> {
        check::copy::contradictions(self)
    }

    fn page(&self, name: &str, sha256: &[u8]) -> String {
        html::copy::page(self, name, sha256)
    }

    fn json(&self) -> Result<Vec<u8>, store::StoreError> {
        store::json(self)
    }
}

/// A certificate of either kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Certificate {
    Erasure(Box<Record>),
    Copy(Box<CopyRecord>),
}

/// Why bytes are no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("this is no certificate, or one that was changed: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the format is {0:?}; this version knows {erasure} and {copy}", erasure = record::FORMAT, copy = copy::FORMAT)]
    Format(String),
}

impl Certificate {
    /// Reads a certificate by its `format`. Nothing is said about whether it is genuine or can be true.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        #[derive(Deserialize)]
        struct Kind {
            format: String,
        }
        let kind: Kind = serde_json::from_slice(bytes)?;
        match kind.format.as_str() {
            record::FORMAT => Ok(Self::Erasure(serde_json::from_slice(bytes)?)),
            copy::FORMAT => Ok(Self::Copy(serde_json::from_slice(bytes)?)),
            _ => Err(CertificateError::Format(kind.format)),
        }
    }

    fn inner(&self) -> &dyn Certifiable {
        match self {
            Self::Erasure(record) => record.as_ref(),
            Self::Copy(record) => record.as_ref(),
        }
    }
}

impl From<Record> for Certificate {
    fn from(record: Record) -> Self {
        Self::Erasure(Box::new(record))
    }
}

impl From<CopyRecord> for Certificate {
    fn from(record: CopyRecord) -> Self {
        Self::Copy(Box::new(record))
    }
}

impl Certifiable for Certificate {
    fn common(&self) -> Common<'_> {
        self.inner().common()
    }

    fn contradictions(&self) -> Vec<String> {
        self.inner().contradictions()
    }

    fn page(&self, name: &str, sha256: &[u8]) -> String {
        self.inner().page(name, sha256)
    }

    fn json(&self) -> Result<Vec<u8>, store::StoreError> {
        self.inner().json()
    }
}

#[cfg(test)]
mod tests;
