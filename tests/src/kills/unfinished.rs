//! Multipart uploads that did not become versions.

use std::collections::BTreeSet;

use crate::{compare::Bucket, refused::Refused};

/// An upload that a store still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The store's id.
    pub id: String,
    /// The key.
    pub key: String,
    /// How many parts it has.
    pub parts: usize,
}

impl Unfinished {
    /// Whether nobody can know of it: its owner died between the store's answer and the receipt, before the first part.
    /// Such a one is left to the store's own expiry (ADR 10); any other one had to be gone on with or aborted.
    #[must_use]
    pub fn unknown(&self, receipts: &BTreeSet<String>) -> bool {
        self.parts == 0 && !receipts.contains(&self.id)
    }
}

/// The unfinished uploads of these keys.
///
/// # Errors
/// What the store refused.
pub async fn unfinished(at: &Bucket, keys: &[String]) -> Result<Vec<Unfinished>, Refused> {
    let mut found = Vec::new();
    for key in keys {
        // MinIO lists the uploads of one key only where it is given whole.
        let list = at.client.list_multipart_uploads().bucket(&at.name).prefix(key).send().await;
        let list = list.map_err(Refused::doing(format!("listing the uploads of {key} at {}", at.label)))?;
        let of_key = list.uploads().iter().filter(|upload| upload.key() == Some(key));
        for id in of_key.filter_map(|upload| upload.upload_id()) {
            let parts = at.client.list_parts().bucket(&at.name).key(key).upload_id(id).send().await;
            let parts = parts.map_err(Refused::doing(format!("listing the parts of an upload of {key}")))?;
            found.push(Unfinished { id: id.to_owned(), key: key.clone(), parts: parts.parts().len() });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_upload_without_receipt_and_parts_is_unknown() {
        let upload = |id: &str, parts| Unfinished { id: id.to_owned(), key: "k".to_owned(), parts };
        let receipts = BTreeSet::from(["told".to_owned()]);
        let unknown = [upload("told", 0), upload("told", 1), upload("new", 1), upload("new", 0)];
        assert_eq!(unknown.map(|upload| upload.unknown(&receipts)), [false, false, false, true]);
    }
}
