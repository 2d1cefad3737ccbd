//! TLS: a store whose certificate is not to be trusted is one that cannot be reached.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use twinlog_site::SiteErrorKind as Kind;

use super::way::{BODY, config, digest, put, read, replica, site, trusting, version};
use super::{AGAIN, means};

const KEY: &[u8] = include_bytes!("../../../../fixtures/tls/server.key");

/// A store with this certificate, which answers every request with the body; its endpoint.
async fn store(certificate: &[u8]) -> String {
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await);
    let listener = listener.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust it ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _request = stream.read(&mut [0; 4096]).await;
            let head =
                format!("HTTP/1.1 200 OK\r\nETag: \"{}\"\r\nContent-Length: {}\r\n\r\n", digest(BODY), BODY.len());
            let _answered = stream.write_all(&[head.as_bytes(), BODY].concat()).await;
        }
    });
    endpoint
}

/// Scenario: stores with certificates of an authority that nobody trusts, of another name, and that ran out.
/// Guarantees: nothing is sent, and it is waited for; one with a good certificate is read.
#[tokio::test]
pub async fn certificates_are_checked() {
    let good = store(include_bytes!("../../../../fixtures/tls/good.pem")).await;
    assert_eq!(read(&trusting(&good), &version("key")).await.unwrap(), BODY);
    let refused = [
        ("not known", site(config(&good))),
        ("another authority", trusting(&store(include_bytes!("../../../../fixtures/tls/other-authority.pem")).await)),
        ("another name", trusting(&store(include_bytes!("../../../../fixtures/tls/other-name.pem")).await)),
        ("expired", trusting(&store(include_bytes!("../../../../fixtures/tls/expired.pem")).await)),
    ];
    for (name, site) in refused {
        let error = put(&site, &replica(&version("key"))).await.map(drop).unwrap_err();
        means(&format!("TLS: {name}"), &error, Kind::Untrusted, AGAIN);
        assert!(!error.outcome_unknown, "{name}: {error}");
        means("TLS", &read(&site, &version("key")).await.unwrap_err(), Kind::Untrusted, AGAIN);
    }
}
