//! What the command line says of object storage, for the whole process.

use std::sync::RwLock;
use std::time::Duration;

/// How object storage is reached and what is required of it.
#[derive(Debug, Clone)]
pub(crate) struct StoreSettings {
    /// The URL of the store; `None` for that of the environment, or AWS.
    pub(crate) endpoint: Option<String>,
    /// The longest time without progress after which a request is not tried again.
    pub(crate) timeout: Duration,
    /// Whether a new archive is downloaded and verified before it is listed, also if the store reports its checksum.
    pub(crate) read_back_in_full: bool,
}

impl StoreSettings {
    /// The settings without options.
    const DEFAULT: StoreSettings = StoreSettings {
        endpoint: None,
        timeout: Duration::from_secs(600),
        read_back_in_full: false,
    };
}

static SETTINGS: RwLock<StoreSettings> = RwLock::new(StoreSettings::DEFAULT);

/// Sets the settings for the whole process.
pub(crate) fn set_store_settings(settings: StoreSettings) {
    *SETTINGS.write().unwrap_or_else(std::sync::PoisonError::into_inner) = settings;
}

/// Returns the settings.
pub(crate) fn store_settings() -> StoreSettings {
    SETTINGS.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}
