//! Where a client comes from: built when it is first needed, built again when the credentials may have changed.
//!
//! Rule: the first frame is drawn before any client exists, so making a source costs nothing and cannot fail.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Client;
use crate::api::error::Error;

type Build = dyn Fn() -> Result<Client, Error> + Send + Sync;

/// A cheap handle that gives everyone the same client. Cheap to clone.
#[derive(Clone)]
pub struct ClientSource {
    build: Arc<Build>,
    current: Arc<Mutex<Option<Client>>>,
}

impl ClientSource {
    /// A source that builds its client with `build`, which reads the credentials anew each time.
    pub fn new(build: impl Fn() -> Result<Client, Error> + Send + Sync + 'static) -> Self {
        Self { build: Arc::new(build), current: Arc::new(Mutex::new(None)) }
    }

    /// The client, built if there is none. A failure is not remembered.
    ///
    /// # Errors
    /// When it cannot be built, for missing credentials among other things.
    pub fn client(&self) -> Result<Client, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(client) => Ok(client.clone()),
            None => Ok(current.insert((self.build)()?).clone()),
        }
    }

    /// A new client, built from what the settings say now; everyone gets it from then on.
    ///
    /// # Errors
    /// When it cannot be built; the client before it is forgotten then, because its credentials are in doubt.
    pub fn refresh(&self) -> Result<Client, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = None;
        Ok(current.insert((self.build)()?).clone())
    }
}

impl fmt::Debug for ClientSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSource").finish_non_exhaustive()
    }
}

impl From<Client> for ClientSource {
    /// A source that always gives this client.
    fn from(client: Client) -> Self {
        Self::new(move || Ok(client.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::{BaseUrl, ClientConfig, Credentials};
    use super::*;
    use crate::api::error::SettingError;

    #[test]
    fn a_client_is_built_once_and_again_on_refresh_and_a_failure_is_not_remembered() {
        let built = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&built);
        let source = ClientSource::new(move || {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(SettingError::MissingCredentials.into());
            }
            let base_url = BaseUrl::parse("http://127.0.0.1:1", false)?;
            Client::new(ClientConfig::new(base_url, Credentials::api_key("mr_sk_0123456789")?))
        });
        assert_eq!(built.load(Ordering::SeqCst), 0);
        assert_eq!(source.client().unwrap_err(), SettingError::MissingCredentials.into());
        source.client().unwrap();
        source.clone().client().unwrap();
        assert_eq!(built.load(Ordering::SeqCst), 2);
        source.refresh().unwrap();
        assert_eq!(built.load(Ordering::SeqCst), 3);
    }
}
