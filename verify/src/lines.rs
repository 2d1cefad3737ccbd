//! The lines of one site's version listing, a page at a time.

use std::collections::VecDeque;

use twinlog_schemas::ObjectKey;
use twinlog_site::{ListFrom, ListedVersion};

use crate::side::{Side, VerifyError};

/// A listing that is being read. Holds one page.
pub struct Lines<'a, E> {
    side: &'a dyn Side<Error = E>,
    page: VecDeque<ListedVersion>,
    /// Where the next page begins; none after the last.
    next: Option<ListFrom>,
    /// Where only one key is wanted: of all keys that begin so it comes first.
    only: Option<&'a ObjectKey>,
    last: Option<ObjectKey>,
}

impl<'a, E> Lines<'a, E> {
    /// All versions of keys that begin with `prefix`.
    #[must_use]
    pub fn new(side: &'a dyn Side<Error = E>, prefix: &str) -> Self {
        let next = Some(ListFrom { prefix: prefix.to_owned(), ..ListFrom::default() });
        Self { side, page: VecDeque::new(), next, only: None, last: None }
    }

    /// The same, of keys after this one.
    #[must_use]
    pub fn after(side: &'a dyn Side<Error = E>, prefix: &str, key: &ObjectKey) -> Self {
        let next = ListFrom { prefix: prefix.to_owned(), key_marker: Some(key.to_string()), ..ListFrom::default() };
        Self { next: Some(next), ..Self::new(side, prefix) }
    }

    /// All versions of one key.
    #[must_use]
    pub fn of(side: &'a dyn Side<Error = E>, key: &'a ObjectKey) -> Self {
        Self { only: Some(key), ..Self::new(side, key.as_str()) }
    }

    /// The line that comes next.
    pub(crate) async fn head(&mut self) -> Result<Option<&ListedVersion>, VerifyError<E>> {
        while self.page.is_empty() {
            let Some(from) = self.next.take() else { return Ok(None) };
            let page = self.side.page(&from).await?;
            self.page = page.versions.into();
            self.next = page.next;
            self.check_order()?;
            if let Some(only) = self.only {
                let before = self.page.len();
                self.page.retain(|line| line.key == *only);
                if self.page.len() < before {
                    self.next = None;
                }
            }
        }
        Ok(self.page.front())
    }

    /// Takes the line that [`Lines::head`] showed.
    pub(crate) fn take(&mut self) -> Option<ListedVersion> {
        self.page.pop_front()
    }

    fn check_order(&mut self) -> Result<(), VerifyError<E>> {
        for line in &self.page {
            if let Some(before) = self.last.as_ref().filter(|last| **last > line.key) {
                let (site, before) = (self.side.label().to_owned(), before.clone());
                return Err(VerifyError::Disorder { site, key: line.key.clone(), before });
            }
            if self.last.as_ref() != Some(&line.key) {
                self.last = Some(line.key.clone());
            }
        }
        Ok(())
    }
}
