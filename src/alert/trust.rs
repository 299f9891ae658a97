//! Whom a delivery trusts: the authorities of the system, or those in the sink's `ca_file` and no others.
//!
//! A delivery has a thread of its own, and what it trusts holds for that thread, so that no sink has to pass it on. Never switches
//! verification off.

use std::cell::RefCell;
use std::error::Error;
use std::{fs, io};

use lettre::transport::smtp::client::{Certificate as MailCertificate, CertificateStore, TlsParameters};
use rustls::{CertificateError, Error as TlsError};
use ureq::tls::{PemItem, RootCerts, parse_pem};

use crate::model::delivery::Outcome;
use crate::view::words::cut;

/// Characters of the library's own words that are repeated.
const SAID: usize = 160;

thread_local! {
    static CA_FILE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does `work` with these authorities trusted alone; `None`: those of the system.
pub(super) fn with<T>(ca_file: Option<&str>, work: impl FnOnce() -> T) -> T {
    let before = CA_FILE.replace(ca_file.map(str::to_owned));
    let done = work();
    CA_FILE.set(before);
    done
}

/// For HTTPS.
///
/// # Errors
/// The file cannot be read or holds no certificate: nothing is sent then.
pub(super) fn roots() -> Result<RootCerts, Outcome> {
    let Some((path, pem)) = pem()? else { return Ok(RootCerts::PlatformVerifier) };
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        Ok(_) | Err(_) => None, // keys and what else a bundle holds
    };
    let certificates: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
    if certificates.is_empty() { Err(none_in(&path)) } else { Ok(RootCerts::new_with_certs(&certificates)) }
}

/// For mail to `host`.
///
/// # Errors
/// As [`roots`]; or the host cannot be in a certificate.
pub(super) fn mail(host: &str) -> Result<TlsParameters, Outcome> {
    let builder = TlsParameters::builder(host.to_owned());
    let builder = match pem()? {
        None => builder,
        Some((path, pem)) => {
            let certificate = MailCertificate::from_pem(&pem).map_err(|_| none_in(&path))?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate)
        }
    };
    builder.build().map_err(|error| Outcome::failed(format!("TLS: {error}")))
}

/// What is wrong with the certificate of a server, in words, where that is why something failed.
#[must_use]
pub(super) fn complaint(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An input/output error carries its cause inside, and its `source` is that of the cause.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls =
            error.downcast_ref::<TlsError>().or_else(|| inside.and_then(|inside| inside.downcast_ref::<TlsError>()));
        if let Some(TlsError::InvalidCertificate(certificate)) = tls {
            return Some(format!("TLS refused: {} ({})", in_words(certificate), cut(&certificate.to_string(), SAID)));
        }
        next = error.source();
    }
    None
}

fn in_words(certificate: &CertificateError) -> &'static str {
    if matches!(certificate, CertificateError::UnknownIssuer) {
        return "nobody that is trusted vouches for its certificate; `ca_file` names an authority of one's own";
    }
    if matches!(certificate, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        return "its certificate has expired";
    }
    if matches!(certificate, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
        return "its certificate is for another host";
    }
    // webpki's own, which rustls hands on as it is.
    if format!("{certificate:?}").contains("CaUsedAsEndEntity") {
        return "its certificate is signed by itself";
    }
    "its certificate is not valid"
}

fn pem() -> Result<Option<(String, Vec<u8>)>, Outcome> {
    let Some(path) = CA_FILE.with_borrow(Clone::clone) else { return Ok(None) };
    match fs::read(&path) {
        Ok(pem) => Ok(Some((path, pem))),
        Err(error) => Err(Outcome::failed(format!("its ca_file `{path}` cannot be read: {error}"))),
    }
}

fn none_in(path: &str) -> Outcome {
    Outcome::failed(format!("its ca_file `{path}` holds no certificate (PEM)"))
}
