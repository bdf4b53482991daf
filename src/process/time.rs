//! The clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time in microseconds since 1970, as in httpd (`apr_time_t`).
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
