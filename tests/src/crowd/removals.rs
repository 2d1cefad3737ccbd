//! Acts that remove: markers, versions, several at once.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use rand::rngs::SmallRng;

use super::{
    Act,
    client::{Came, Client},
};
use crate::{compare::Listed, refused::Refused};

impl Client {
    pub(super) async fn delete(&self, rng: &mut SmallRng) -> Result<Came, Refused> {
        // A DELETE of a key that ends in `/` makes a null marker, which RustFS cannot make a replica of.
        let key = self.versioned_key(rng);
        let delete = self.at.client.delete_object().bucket(&self.at.name).key(key);
        delete.send().await.map_err(Refused::doing(format!("DELETE {key:?}")))?;
        Ok(Came::Done)
    }

    pub(super) async fn remove(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let marker = act == Act::RemoveMarker;
        let version = self.version(rng, |version| !marker || version.marker).await?;
        let Some(version) = version else { return Ok(Came::Idle) };
        self.remove_version(&version, act == Act::Remove).await
    }

    pub(super) async fn free_and_remove(&self, rng: &mut SmallRng) -> Result<Came, Refused> {
        let Some(version) = self.object(rng).await? else { return Ok(Came::Idle) };
        Self::put_hold(&self.at, &version, false).await?;
        self.remove_version(&version, true).await
    }

    async fn remove_version(&self, version: &Listed, bypass: bool) -> Result<Came, Refused> {
        let Listed { key, id, .. } = version;
        let remove = self.at.client.delete_object().bucket(&self.at.name).key(key).version_id(id);
        let remove = remove.set_bypass_governance_retention(bypass.then_some(true));
        remove.send().await.map_err(Refused::doing(format!("removing {key:?} version {id}")))?;
        Ok(Came::Done)
    }

    pub(super) async fn multi_delete(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        const EACH: usize = 2;
        let mut named: Vec<(String, Option<String>)> = Vec::new();
        if act != Act::MultiRemove {
            named.extend((0..EACH).map(|_| (self.versioned_key(rng).to_owned(), None)));
        }
        if act != Act::MultiDelete {
            for _ in 0..EACH {
                named.extend(self.version(rng, |_| true).await?.map(|version| (version.key, Some(version.id))));
            }
        }
        // Of one key's marker and removal, or of two markers, the store chooses the order: each key once.
        named.sort();
        named.dedup_by(|one, other| one.0 == other.0);
        if named.is_empty() {
            return Ok(Came::Idle);
        }
        let objects =
            named.into_iter().map(|(key, id)| ObjectIdentifier::builder().key(key).set_version_id(id).build());
        let objects = objects.collect::<Result<Vec<_>, _>>();
        let delete = objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).build());
        let delete = delete.map_err(|error| Refused::unbuilt("a multi-delete", &error))?;
        let request = self.at.client.delete_objects().bucket(&self.at.name).bypass_governance_retention(true);
        let answer = request.delete(delete).send().await.map_err(Refused::doing("a multi-delete"))?;
        let Some(error) = answer.errors().first() else { return Ok(Came::Done) };
        let refused = Refused {
            doing: format!("a multi-delete of {:?} version {:?}", error.key(), error.version_id()),
            code: error.code().map(str::to_owned),
            status: Some(200),
            answer: format!("{:?}: {:?}", error.code(), error.message()),
        };
        if refused.locked() { Ok(Came::Refused) } else { Err(refused) }
    }
}
