//! One client of a crowd.

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{Act, Tally, keys};
use crate::{
    compare::{Bucket, Listed, list_from},
    refused::Refused,
    server::StoreKind,
};

/// What an act came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// The store says that it is done.
    Done,
    /// There was nothing to do it to.
    Idle,
    /// Some of what one request asked for was refused by a lock.
    Refused,
}

/// Its acts and what they are done to are drawn from the seed and the number of the step alone: whatever came of the
/// steps before, the next is the same.
pub struct Client {
    pub(super) at: Bucket,
    kind: StoreKind,
    seed: u64,
    step: u64,
    tally: Tally,
    /// Whether requests may stay without an answer: where servers are stopped meanwhile.
    foul: bool,
}

impl Client {
    /// A client at one site.
    #[must_use]
    pub fn new(at: Bucket, kind: StoreKind, seed: u64, foul: bool) -> Self {
        Self { at, kind, seed, step: 0, tally: Tally::default(), foul }
    }

    /// What it did so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Does the next thing.
    ///
    /// # Errors
    /// A refusal for which there is no reason; the client can go on.
    pub async fn step(&mut self) -> Result<(), Refused> {
        // Of one client's seeds none is another's: seeds of a crowd are far apart.
        let mut rng = SmallRng::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(self.step));
        self.step += 1;
        let act = Act::draw(&mut rng);
        match self.perform(act, &mut rng).await {
            Ok(Came::Done) => *self.tally.done.entry(act).or_default() += 1,
            Ok(Came::Idle) => self.tally.idle += 1,
            Ok(Came::Refused) => *self.tally.refused.entry(act).or_default() += 1,
            Err(refused) if self.foul && refused.status.is_none_or(|status| status >= 500) => {
                self.tally.unanswered += 1;
            }
            Err(refused) if refused.busy() => self.tally.unanswered += 1,
            Err(refused) if self.expected(act, &refused) => *self.tally.refused.entry(act).or_default() += 1,
            Err(refused) => return Err(Refused { doing: format!("{act:?}: {}", refused.doing), ..refused }),
        }
        Ok(())
    }

    async fn perform(&mut self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        use Act::{
            Comply, Copy, CopyReplace, Delete, Free, FreeAndRemove, Govern, Hold, MultiDelete, MultiMixed, MultiRemove,
            Multipart, OnePart, Release, Remove, RemoveMarker, RemoveUnlocked, Tag, Untag,
        };
        match act {
            OnePart | Multipart => self.upload(act, rng).await,
            Copy | CopyReplace => self.copy(act, rng).await,
            Tag | Untag => self.tag(act, rng).await,
            Govern | Comply | Release => self.retain(act, rng).await,
            Hold | Free => self.hold(act, rng).await,
            Delete => self.delete(rng).await,
            Remove | RemoveUnlocked | RemoveMarker => self.remove(act, rng).await,
            FreeAndRemove => self.free_and_remove(rng).await,
            MultiDelete | MultiRemove | MultiMixed => self.multi_delete(act, rng).await,
            _ => self.put(act, rng).await,
        }
    }

    /// Whether the store has reason to refuse.
    fn expected(&self, act: Act, refused: &Refused) -> bool {
        let Some(status) = refused.status else { return false };
        match status {
            // Gone meanwhile, or a marker by now.
            404 | 405 => act.names_a_version(),
            // Locked; the stores name it in different ways. RustFS guards the null version that a birth would replace.
            400 | 403 => refused.locked() && (act.meets_locks() || keys::null_named_in(&refused.doing)),
            // RustFS answers so to a lock change of a version that is gone or a marker by now.
            500 => {
                let of_hold = refused.doing.starts_with("legal hold of ");
                self.kind == StoreKind::RustFs && act.names_a_version() && of_hold
            }
            _ => false,
        }
    }

    /// Any of the shared keys.
    pub(super) fn key(&self, rng: &mut SmallRng) -> &'static str {
        let null = rng.random_ratio(1, 12);
        if null { one_of(&keys::NULL, rng) } else { one_of(&keys::VERSIONED, rng) }
    }

    /// Any of the shared keys that are versioned.
    pub(super) fn versioned_key(&self, rng: &mut SmallRng) -> &'static str {
        one_of(&keys::VERSIONED, rng)
    }

    /// Any version of any key that this site has, whoever wrote it.
    pub(super) async fn version(
        &self,
        rng: &mut SmallRng,
        fits: impl Fn(&Listed) -> bool,
    ) -> Result<Option<Listed>, Refused> {
        let (key, number) = (self.key(rng), rng.random::<u32>() as usize);
        let mut versions = list_from(&self.at, key).await?.remove(key).unwrap_or_default();
        versions.retain(|version| fits(version));
        let many = versions.len();
        Ok((many > 0).then(|| versions.swap_remove(number % many)))
    }

    /// Any object version.
    pub(super) async fn object(&self, rng: &mut SmallRng) -> Result<Option<Listed>, Refused> {
        self.version(rng, |version| !version.marker).await
    }
}

fn one_of(keys: &[&'static str], rng: &mut SmallRng) -> &'static str {
    keys[rng.random_range(0..keys.len())]
}
