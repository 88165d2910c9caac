//! Certificates of authorities that are trusted besides the system's.
//!
//! Rule: they only add trust; which host a certificate is for, and until when, is checked all the same.

use std::fmt;

use reqwest::Certificate;

use super::innermost;

/// Certificates of authorities. The default is none.
#[derive(Clone, Default)]
pub struct Roots(Vec<Certificate>);

impl Roots {
    /// Reads a file of PEM certificates.
    ///
    /// # Errors
    /// In words, when there is none in it, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|error| innermost(&error))?;
        if certificates.is_empty() {
            return Err("it holds no certificate, which begins with -----BEGIN CERTIFICATE-----".to_owned());
        }
        // Only a client looks into them.
        let client = reqwest::Client::builder().tls_certs_only(certificates.clone()).build();
        client.map_err(|error| format!("a certificate in it cannot be used: {}", innermost(&error)))?;
        Ok(Self(certificates))
    }

    /// Those of `other` as well.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the HTTP client.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> + '_ {
        self.0.iter().cloned()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_in_words() {
        for (pem, phrase) in [
            ("", "no certificate"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
            ("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", ""),
        ] {
            let message = Roots::from_pem(pem.as_bytes()).unwrap_err();
            assert!(message.contains(phrase), "{pem}: {message}");
        }
    }
}
