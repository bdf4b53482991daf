//! What both servers serve: one site for each part of the API, with its requests.

use super::Answer;
use super::requests::{self, Asked};
use crate::fixture::{Httpd, Mpm, Server};

/// A configuration and the requests for it.
pub struct Site {
    pub name: &'static str,
    config: &'static str,
    requests: &'static str,
    pages: &'static str,
    /// Bytes go over connections, instead of requests.
    is_raw: bool,
}

macro_rules! site {
    ($name:literal, $is_raw:literal) => {
        Site {
            name: $name,
            config: include_str!(concat!("site/", $name, ".conf")),
            requests: include_str!(concat!("site/", $name, ".requests")),
            pages: include_str!(concat!("site/", $name, ".pages")),
            is_raw: $is_raw,
        }
    };
}

pub static API: Site = site!("api", false);
pub static PHASES: Site = site!("phases", false);
pub static FILTERS: Site = site!("filters", false);
pub static CONNECTION: Site = site!("connection", true);
pub static INCLUDES: Site = site!("includes", false);
pub static PLACES: Site = site!("places", false);
pub static ERRORS: Site = site!("errors", false);
pub static FORMS: Site = site!("forms", false);
pub static PSP: Site = site!("psp", false);
pub static TOOLS: Site = site!("tools", false);
pub static STATE: Site = site!("state", false);

pub static ALL: &[&Site] =
    &[&API, &PHASES, &FILTERS, &CONNECTION, &INCLUDES, &PLACES, &ERRORS, &PSP, &TOOLS, &STATE, &FORMS];

/// The modules of all sites.
const MODULES: &[(&str, &str)] = &[
    ("probe.py", include_str!("site/probe.py")),
    ("api.requests", include_str!("site/api.requests")),
    ("psp.requests", include_str!("site/psp.requests")),
    ("tools.requests", include_str!("site/tools.requests")),
    ("state.requests", include_str!("site/state.requests")),
    ("templates.py", include_str!("site/templates.py")),
    ("state.py", include_str!("site/state.py")),
    ("helper.py", include_str!("site/helper.py")),
    ("related.py", include_str!("site/related.py")),
    ("phases.py", include_str!("site/phases.py")),
    ("complete.py", include_str!("site/complete.py")),
    ("filters.py", include_str!("site/filters.py")),
    ("connection.py", include_str!("site/connection.py")),
    ("includes.py", include_str!("site/includes.py")),
    ("where.py", include_str!("site/where.py")),
    ("errors.py", include_str!("site/errors.py")),
    ("failing.py", include_str!("site/failing.py")),
    ("fields.py", include_str!("site/fields.py")),
    ("package/__init__.py", "\n"),
    ("package/inner.py", "value = 'inner'\n"),
];

impl Site {
    pub fn httpd(&self, mpm: Mpm) -> Httpd {
        let children = match self.name {
            // mod_python divides by the number of its mutexes less one.
            "api" | "state" => 2,
            // Its children crash, and a new one takes a second to come.
            "places" => 4,
            // A request begins when the one before has come to its end.
            _ => 1,
        };
        let mut httpd = Httpd::new(mpm).children(children).config(self.config);
        for (file, text) in MODULES {
            httpd = httpd.file(format!("lib/{file}"), text);
        }
        // Not valid Python, which the repository is to be.
        httpd = httpd.file("lib/broken.py", "from mod_python import apache\n\n1 +\n");
        for folder in self.folders() {
            httpd = httpd.file(format!("{folder}/.keep"), "");
        }
        self.documents().into_iter().fold(httpd, |httpd, (path, text)| httpd.file(path, text))
    }

    /// The files of pages: `@path path …`, and what is in each of them.
    fn documents(&self) -> Vec<(&'static str, String)> {
        let mut documents: Vec<(Vec<&str>, String)> = Vec::new();
        for line in self.pages.lines() {
            match (line.strip_prefix('@'), documents.last_mut()) {
                (Some(paths), _) => documents.push((paths.split(' ').collect(), String::new())),
                (None, Some((_, text))) => *text += &format!("{line}\n"),
                (None, None) => panic!("{line} belongs to no document"),
            }
        }
        documents
            .into_iter()
            .flat_map(|(paths, text)| paths.into_iter().map(move |path| (path, text.clone())))
            .collect()
    }

    /// The folders that the configuration names: httpd looks for their sections only if they are there.
    fn folders(&self) -> Vec<&'static str> {
        let sections = self.config.lines().filter_map(|line| line.strip_prefix("<Directory \"${HTDOCS}/"));
        sections.filter_map(|rest| rest.strip_suffix("\">")).filter(|folder| !folder.contains('*')).collect()
    }

    pub fn requests(&self) -> Vec<Asked> {
        requests::read(self.requests)
    }

    /// Sends a request; what the answer is.
    pub fn ask(&self, server: &Server, asked: &Asked) -> Answer {
        if !self.is_raw {
            return Answer::of(server, &asked.request(server).try_send());
        }
        let mut connection = server.raw();
        // The server may have closed the connection already.
        let _ = connection.try_send(asked.body.as_deref().unwrap_or_default());
        Answer::bytes(server, &connection.finish_sending().read_to_end())
    }
}
