//! The report of a conversion.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::base::escape::Text;
use crate::base::server::Server;
use crate::ops::compact::{CompactReport, Form};
use crate::rewrite::fit::{LossKind, Losses, Lost};

/// The result of a conversion or of a dry run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConvertReport {
    /// The path of the data set, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The server that it was converted for.
    pub server: Server,
    /// Whether nothing was written because something cannot go to that server.
    pub refused: bool,
    /// What cannot go to that server, by kind. It is left out of the result.
    pub losses: Vec<Loss>,
    /// What was read and written. Its keys and its fingerprint are without what is left out.
    pub result: CompactReport,
}

/// Data of one kind that a server or a form cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The kind.
    pub kind: LossKind,
    /// The number of items: keys, fields, entries, or what the kind names.
    pub count: u64,
    /// The number of keys that they are of; 0 if they are of no key.
    pub keys: u64,
    /// Whether these keys are left out with all that they hold.
    pub whole_keys: bool,
    /// The form of the output that holds all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<Form>,
    /// The first of the keys, or of the names of what is of no key.
    pub examples: Vec<LossExample>,
}

/// A key, or the name of what is of no key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossExample {
    /// The database number of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u32>,
    /// The key, or the name of the library, module or field.
    #[serde(serialize_with = "text")]
    pub name: Vec<u8>,
}

fn text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Text(bytes).serialize(serializer)
}

impl Loss {
    /// Returns the losses of a conversion into `form`.
    pub(super) fn list(losses: &Losses, form: Form) -> Vec<Loss> {
        losses.iter().map(|(kind, lost)| Loss::new(kind, lost, form)).collect()
    }

    fn new(kind: LossKind, lost: &Lost, form: Form) -> Loss {
        let examples = lost.examples.iter();
        Loss {
            kind,
            count: lost.count,
            keys: lost.keys,
            whole_keys: kind.is_whole_key(),
            kept_by: lost.in_other_encoding.then(|| form.with_other_encoding()),
            examples: examples
                .map(|(db, name)| LossExample { db: *db, name: name.clone() })
                .collect(),
        }
    }
}
