//! Certificates of the tests' own, for stores that are served over TLS.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::ServerError;

/// An authority that nobody else trusts. Its own key ends with it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    trust: Trust,
}

/// What trusts an authority: its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The certificate, PEM.
    pub pem: String,
    /// A file of the same.
    pub file: PathBuf,
}

/// A server's certificate with its key, for 127.0.0.1.
#[derive(Clone)]
pub struct Certified {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PEM. Never shown.
    pub key: String,
    /// Whose signature it carries.
    pub trust: Trust,
}

impl fmt::Debug for Certified {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Certified").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one of this name, its certificate written to `file`.
    ///
    /// # Errors
    /// [`ServerError::Io`] where no key can be made or the file not be written.
    pub fn new(name: &str, file: &Path) -> Result<Self, ServerError> {
        let failed = |error: rcgen::Error| ServerError::io("making an authority")(std::io::Error::other(error));
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        write(file, &pem)?;
        Ok(Self { issuer: Issuer::new(params, key), trust: Trust { pem, file: file.to_owned() } })
    }

    /// What trusts it.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// A new certificate for a server on 127.0.0.1.
    ///
    /// # Errors
    /// [`ServerError::Io`] where none can be made.
    pub fn certify(&self) -> Result<Certified, ServerError> {
        let failed = |error: rcgen::Error| ServerError::io("making a certificate")(std::io::Error::other(error));
        let key = KeyPair::generate().map_err(failed)?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Certified { certificate, key: key.serialize_pem(), trust: self.trust.clone() })
    }
}

impl Certified {
    /// Writes the certificate and its key as files of these names into `folder`.
    pub(super) fn write(&self, folder: &Path, [certificate, key]: [&str; 2]) -> Result<(), ServerError> {
        std::fs::create_dir_all(folder).map_err(ServerError::io(format!("making {}", folder.display())))?;
        write(&folder.join(certificate), &self.certificate)?;
        write(&folder.join(key), &self.key)
    }
}

fn write(file: &Path, pem: &str) -> Result<(), ServerError> {
    std::fs::write(file, pem).map_err(ServerError::io(format!("writing {}", file.display())))
}
