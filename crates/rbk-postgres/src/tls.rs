//! TLS to databases: always there, always verified in full, and refused in words that say what was presented.
//!
//! *Verify-full* in libpq's words: an authority that is trusted, and a certificate that is for the very host that was
//! meant, also when the bytes go through a tunnel's local port. An IP address as host is looked up among the
//! certificate's IP names.

use crate::error::SetupError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::der::Decode;

/// A handshake that is about to be made.
type Handshake = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;

/// A connection after it.
pub(crate) type Stream = <Handshake as TlsConnect<TcpStream>>::Stream;

/// TLS as an environment's `access` wants it.
#[derive(Clone)]
pub(crate) struct Tls {
    make: MakeRustlsConnect,
}

impl Tls {
    /// Trusts the authorities of a PEM file, or the system's.
    pub fn new(ca: Option<&Path>) -> Result<Self, SetupError> {
        let (roots, authorities) = match ca {
            Some(path) => (of_file(path)?, format!("`{}`", path.display())),
            None => (of_system()?, "this system".to_owned()),
        };
        let provider = Arc::new(ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| SetupError::Authorities(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SetupError::Authorities(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Explaining { inner, authorities }))
            .with_no_client_auth();
        Ok(Self {
            make: MakeRustlsConnect::new(config),
        })
    }

    /// A handshake in which the server must prove to be `host`.
    pub fn to(&self, host: &str) -> Handshake {
        let mut make = self.make.clone();
        match <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut make, host) {
            Ok(connect) => connect,
            Err(never) => match never {},
        }
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, SetupError> {
    let unreadable = |source| SetupError::CaUnreadable {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|error| SetupError::Authorities(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(SetupError::CaEmpty {
            path: path.to_owned(),
        });
    }
    Ok(roots)
}

fn of_system() -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(SetupError::NoSystemAuthorities);
    }
    Ok(roots)
}

/// Leaves the decision to rustls and puts a refusal into words.
#[derive(Debug)]
struct Explaining {
    inner: Arc<WebPkiServerVerifier>,
    /// Whose authorities these are, for messages.
    authorities: String,
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| match error {
                rustls::Error::InvalidCertificate(reason) => {
                    let refusal = Refusal::new(&reason, end_entity, server_name, &self.authorities);
                    CertificateError::Other(OtherError(Arc::new(refusal))).into()
                }
                other => other,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Why a server's certificate was refused: what was expected, what was presented, and the mend.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Refusal {
    fn new(
        reason: &CertificateError,
        presented: &CertificateDer<'_>,
        expected: &ServerName<'_>,
        authorities: &str,
    ) -> Self {
        let expected = expected.to_str();
        let (subject, issuer) = subject_and_issuer(presented);
        Self(match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the server's certificate is for {}, not for `{expected}`: name the host as the certificate does (for \
                 RDS the instance's own endpoint, no alias and no address), and look whether the tunnel leads to it",
                    names(reason).unwrap_or_else(|| format!("`{subject}`")),
                )
            }
            CertificateError::UnknownIssuer => format!(
                "`{expected}` presented a certificate for `{subject}`, issued by `{issuer}`, which isn't among the \
                 authorities of {authorities}: name a file with that authority in `access.ca` (for RDS, the bundle \
                 from truststore.pki.rds.amazonaws.com)"
            ),
            other => format!(
                "`{expected}` presented a certificate for `{subject}`, issued by `{issuer}`, that can't be accepted: {other}"
            ),
        })
    }
}

/// The names that a certificate is for, where rustls tells them.
fn names(reason: &CertificateError) -> Option<String> {
    let CertificateError::NotValidForNameContext { presented, .. } = reason else {
        return None;
    };
    // They come as `DnsName("db.example")` and `IpAddress(192.0.2.1)`.
    let names: Vec<String> = presented
        .iter()
        .map(|name| {
            let bare = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
            format!("`{}`", bare.trim_end_matches(')').trim_matches('"'))
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn subject_and_issuer(certificate: &CertificateDer<'_>) -> (String, String) {
    match x509_cert::Certificate::from_der(certificate) {
        Ok(certificate) => {
            let facts = certificate.tbs_certificate;
            (facts.subject.to_string(), facts.issuer.to_string())
        }
        Err(_) => ("?".to_owned(), "?".to_owned()),
    }
}
