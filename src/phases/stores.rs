//! The folders of stores, made by httpd's parent before it starts children. No Python runs here.

use std::path::{Path, PathBuf};

use crate::config::{DEFAULT_STORE, Generation, Store, StoreLocation, StoreOptions, server_config};
use crate::httpd::{Pool, Server, Status, User, configuration, is_loaded};
use crate::store::{self, Base};

/// The folder in httpd's runtime directory.
const FOLDER: &str = "mod_python-stores";

/// Checks the stores of all servers and makes their folders.
pub fn prepare(pool: Pool<'_>, main: Server<'_>, generation: &mut Generation) -> Status {
    let all: Vec<&Store<'_>> =
        main.with_following().filter_map(server_config).flat_map(|config| config.stores).collect();
    if let Some((store, other)) = contradiction(&all) {
        tracing::error!(
            "MP0710: PythonStore {} ({}) and PythonStore {} ({}) are the same folder with different options: give both the same, or one another folder",
            store.name,
            store.origin,
            other.name,
            other.origin
        );
        return Status::SERVER_ERROR;
    }
    let base = base();
    for store in &all {
        let StoreLocation::Folder(folder) = store.location else { continue };
        if let Err(why) = store::prepare(Path::new(folder), base, &store.options) {
            tracing::error!("MP0710: PythonStore {} ({}): {folder}: {why}", store.name, store.origin);
            return Status::SERVER_ERROR;
        }
    }
    let mut wanted: Vec<&Store<'_>> =
        all.iter().copied().filter(|store| store.location == StoreLocation::Runtime).collect();
    wanted.dedup_by_key(|store| store.name);
    let made = runtime_folder(pool).map_err(|why| (wanted.first().copied(), why));
    match made.and_then(|folder| make_all(&folder, base, &wanted).map(|()| folder)) {
        Ok(folder) => generation.stores = Some(folder),
        Err((store, why)) => match store {
            Some(store) => {
                tracing::error!(
                    "MP0710: PythonStore {} ({}): {why}. Give it a folder: PythonStore {} /a/folder",
                    store.name,
                    store.origin,
                    store.name
                );
                return Status::SERVER_ERROR;
            }
            None => tracing::info!("MP0711: there is no store without a PythonStore directive: {why}"),
        },
    }
    Status::OK
}

/// Two stores in one folder that are opened in different ways.
fn contradiction<'s, 'p>(all: &[&'s Store<'p>]) -> Option<(&'s Store<'p>, &'s Store<'p>)> {
    let place = |store: &Store<'_>| match store.location {
        StoreLocation::Folder(folder) => Some(folder.trim_end_matches('/').to_owned()),
        StoreLocation::Runtime => Some(store.name.to_owned()),
        StoreLocation::Server(_) | StoreLocation::Cache(_) => None,
    };
    all.iter().enumerate().find_map(|(index, store)| {
        let own = place(store)?;
        let other =
            all[..index].iter().find(|other| place(other).as_ref() == Some(&own) && other.options != store.options);
        other.map(|other| (*other, *store))
    })
}

/// Whose the folders are.
fn base() -> Base {
    // SAFETY: takes no pointers.
    let is_root = unsafe { libc::geteuid() } == 0;
    match User::of_children() {
        Some(user) => Base::Of(Some(user.rights.ids())),
        // It chooses a user for each request.
        None if is_root && is_loaded(c"mpm_itk.c") => Base::OfEachUser,
        None => Base::Of(None),
    }
}

fn runtime_folder(pool: Pool<'_>) -> Result<PathBuf, String> {
    let folder =
        configuration::runtime_path(pool, FOLDER).ok_or_else(|| "httpd has no runtime directory".to_owned())?;
    let folder = PathBuf::from(folder);
    // The parent's own: only the folders within are the children's.
    match std::fs::create_dir(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("{} cannot be made: {error}", folder.display())),
    }
    Ok(folder)
}

/// Makes the folders of stores; what fails with the store, which is none for the one that is there without a directive.
fn make_all<'s, 'p>(
    folder: &Path,
    base: Base,
    wanted: &[&'s Store<'p>],
) -> Result<(), (Option<&'s Store<'p>>, String)> {
    let make = |name: &str, options: &StoreOptions| {
        let own = folder.join(name);
        store::prepare(&own, base, options).map_err(|why| format!("{}: {why}", own.display()))
    };
    for store in wanted {
        make(store.name, &store.options).map_err(|why| (Some(*store), why))?;
    }
    if !wanted.iter().any(|store| store.name == DEFAULT_STORE) {
        let options = StoreOptions::of(StoreLocation::Runtime);
        make(DEFAULT_STORE, &options).map_err(|why| (wanted.first().copied(), why))?;
    }
    Ok(())
}
