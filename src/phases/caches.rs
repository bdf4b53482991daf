//! The stores that are caches of httpd's, made by httpd's parent before it starts children. No Python runs here.

use std::fmt::Write;

use crate::config::{Generation, Store, server_config};
use crate::httpd::{CacheSpec, Caches, Pool, Server, Status, id_of};

/// Makes the caches of all servers. Those with the same name and location are one.
pub fn prepare(pool: Pool<'_>, main: Server<'_>, generation: &mut Generation) -> Status {
    let mut stores: Vec<&Store<'_>> = Vec::new();
    for store in main.with_following().filter_map(server_config).flat_map(|config| config.stores) {
        let is_known = stores.iter().any(|known| known.name == store.name && known.location == store.location);
        if store.location.cache().is_some() && !is_known {
            stores.push(store);
        }
    }
    if stores.is_empty() {
        return Status::OK;
    }
    let tags: Vec<String> = stores.iter().map(|store| tag(store)).collect();
    let specs: Vec<CacheSpec<'_>> = stores
        .iter()
        .zip(&tags)
        .filter_map(|(store, tag)| {
            let (provider, argument) = store.location.cache()?;
            Some(CacheSpec { provider, argument, tag })
        })
        .collect();
    match Caches::create(&specs, main, pool) {
        Ok(caches) => {
            let names = stores.iter().map(|store| key(store)).collect();
            generation.caches = Some((names, caches));
            Status::OK
        }
        Err((index, problem)) => {
            let store = stores[index];
            tracing::error!("MP0712: PythonStore {} ({}): {problem}", store.name, store.origin);
            Status::SERVER_ERROR
        }
    }
}

/// What a cache is found by.
fn key(store: &Store<'_>) -> (String, String) {
    (store.name.to_owned(), store.location.text().unwrap_or_default().to_owned())
}

/// At most 16 letters that stay the same over restarts and on all machines with this directive: the entries on a server begin with them.
fn tag(store: &Store<'_>) -> String {
    let (name, location) = key(store);
    let id = id_of(format!("{name} {location}").as_bytes());
    let mut tag = "py-".to_owned();
    for byte in &id[..6] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag
}
