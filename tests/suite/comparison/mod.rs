//! Side by side with mod_python 3.5: the same handlers, configuration and requests, and what is answered compared.
//!
//! Debian's package libapache2-mod-python is what ours is compared with; where it is not installed, the tests say so and do
//! nothing. `differences.rs` lists what differs, and why; docs/differences.md is made of it.

mod answer;
mod differences;
mod page;
mod requests;
mod sites;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::fixture::{Mpm, debians_mod_python, not_tested};
use answer::{Answer, Differences};
use differences::{DIFFERENCES, SOMETIMES};
use sites::Site;

/// How often a request is sent to mod_python 3.5 whose answer is not what it mostly is.
const TRIES: usize = 4;

/// Sends a site's requests to both servers and compares the answers; fails for a difference that is not listed, and for a listed
/// one that there is not.
#[track_caller]
fn compare(site: &Site, mpm: Mpm) {
    let Some(peer) = debians_mod_python() else {
        return not_tested("mod_python 3.5 is not installed (Debian 12: libapache2-mod-python)");
    };
    let ours = site.httpd(mpm).start();
    let theirs = site.httpd(mpm).peer(peer).start();
    // It may crash; that is compared as no response.
    theirs.expect_child_death();
    [&ours, &theirs].iter().for_each(|server| age(&server.root().join("htdocs")));

    let mut found = BTreeSet::new();
    let mut report = String::new();
    for asked in site.requests() {
        let request = format!("{}/{}", site.name, asked.name);
        let here = site.ask(&ours, &asked);
        // Now and then it crashes, or says what is left of an earlier request: what it does each time is compared.
        let attempt = || here.differences(&site.ask(&theirs, &asked));
        let is_expected = |found: &Differences| found.iter().all(|(part, ..)| is_listed(&request, part));
        let differences = (0..TRIES).map(|_| attempt()).find(is_expected).unwrap_or_else(attempt);
        for (part, ours, theirs) in differences {
            if !is_listed(&request, &part) {
                report += &format!("{request}: {part}\n    here:   {ours:?}\n    there:  {theirs:?}\n");
            }
            found.insert((request.clone(), part));
        }
    }
    for (request, part) in DIFFERENCES.iter().flat_map(|difference| difference.seen) {
        let is_here = request.split('/').next() == Some(site.name);
        let is_there_each_time = !SOMETIMES.contains(&(request, part));
        if is_here
            && is_there_each_time
            && !found.iter().any(|(found, differs)| fits(found, request) && fits(differs, part))
        {
            report += &format!("{request}: {part} is listed and does not differ\n");
        }
    }
    assert!(report.is_empty(), "{}, {mpm}:\n{report}", site.name);
}

fn is_listed(request: &str, part: &str) -> bool {
    let listed = DIFFERENCES.iter().flat_map(|difference| difference.seen);
    listed.into_iter().any(|(known, differs)| fits(request, known) && fits(part, differs))
}

/// Whether a name is one that the table of differences means: a star at the end stands for the rest.
fn fits(name: &str, known: &str) -> bool {
    match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == known,
    }
}

/// Gives all documents the same age: it is part of what httpd says of them. Python's are left alone, which would be loaded again.
fn age(folder: &Path) {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for entry in fs::read_dir(folder).expect("a folder of documents").flatten() {
        let path = entry.path();
        if path.is_dir() {
            age(&path);
        } else if path.extension().is_none_or(|extension| extension != "py") {
            fs::File::open(&path).and_then(|file| file.set_modified(then)).expect("a file of our own");
        }
    }
}

/// One test for each site and each process model under which it is compared.
macro_rules! compared {
    ($($name:ident: $site:ident { $($test:ident: $mpm:ident),+ })+) => {$(
        mod $name {
            use super::*;

            $(#[test]
            fn $test() {
                compare(&sites::$site, Mpm::$mpm);
            })+
        }
    )+};
}

compared! {
    api: API { prefork: Prefork, event: Event }
    phases: PHASES { prefork: Prefork }
    filters: FILTERS { prefork: Prefork, worker: Worker }
    connection: CONNECTION { prefork: Prefork, event: Event }
    includes: INCLUDES { prefork: Prefork }
    places: PLACES { prefork: Prefork, event: Event }
    errors: ERRORS { prefork: Prefork, worker: Worker }
    forms: FORMS { prefork: Prefork, event: Event }
    psp: PSP { prefork: Prefork, worker: Worker }
    tools: TOOLS { prefork: Prefork, event: Event }
    state: STATE { prefork: Prefork, event: Event }
}

#[test]
fn there_are_enough_requests_and_each_has_a_name_of_its_own() {
    let all: Vec<String> = sites::ALL
        .iter()
        .flat_map(|site| site.requests().into_iter().map(|asked| format!("{}/{}", site.name, asked.name)))
        .collect();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "a name is used twice");
    assert!(all.len() >= 150, "{} requests", all.len());
    for (request, part) in DIFFERENCES.iter().flat_map(|difference| difference.seen) {
        assert!(distinct.iter().any(|name| fits(name, request)), "{request}: {part}: there is no such request");
    }
}
