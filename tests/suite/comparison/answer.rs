//! What a server answered, in parts that can be compared: nothing in it depends on when and where it ran.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::{Framing, HttpError, Response, Server};

/// The parts of an answer by their names: `status`, `reason`, `header NAME`, `framing`, `body`, and `fact EXPRESSION` for each line that a
/// handler has written behind `== facts`.
#[derive(Debug, Default, PartialEq)]
pub struct Answer(BTreeMap<String, String>);

/// The part of two answers that differs, what is here, what is there.
pub type Differences = Vec<(String, String, String)>;

/// Headers that say when, and with what.
const OWN: [&str; 2] = ["date", "server"];

/// How the length of the body is told.
const FRAMING: &str = "framing";
const CHUNKED: &str = "chunked";

/// What begins the facts in a body.
const FACTS: &str = "== facts\n";
/// What stands between an expression and its value.
const ARROW: &str = " ==> ";

impl Answer {
    pub fn of(server: &Server, response: &Result<Response, HttpError>) -> Answer {
        let mut answer = Answer::default();
        match response {
            Ok(response) => answer.read(server, response),
            Err(error) => {
                answer.0.insert("no response".into(), error.to_string());
                if let Some(partial) = error.partial() {
                    answer.read(server, partial);
                }
            }
        }
        answer
    }

    /// An answer that is nothing but bytes.
    pub fn bytes(server: &Server, bytes: &[u8]) -> Answer {
        let mut answer = Answer::default();
        answer.0.insert("body".into(), neutral(server, bytes));
        answer
    }

    fn read(&mut self, server: &Server, response: &Response) {
        let mut put = |name: String, value: String| {
            let before = self.0.remove(&name).map(|before| before + ", ").unwrap_or_default();
            self.0.insert(name, before + &value);
        };
        put("status".into(), response.status.to_string());
        put("reason".into(), response.reason.clone());
        for (name, value) in response.headers.iter() {
            if OWN.contains(&name.to_ascii_lowercase().as_str()) {
                continue;
            }
            let mut value = neutral(server, value.as_bytes());
            if name == "Allow" {
                // httpd takes the methods from a hash table whose order is another one in each process.
                let methods: BTreeSet<&str> = value.split(',').collect();
                value = methods.into_iter().collect::<Vec<_>>().join(",");
            }
            put(format!("header {name}"), value);
        }
        let framing = if response.framing == Framing::Chunked { CHUNKED } else { "" };
        self.0.insert(FRAMING.into(), framing.into());
        self.0.remove("header Transfer-Encoding");
        let body = neutral(server, &response.body);
        let (body, facts) = match body.split_once(FACTS) {
            Some((before, facts)) => (before.to_owned(), facts.to_owned()),
            None => (body, String::new()),
        };
        // The facts differ in length where one of them does.
        if !facts.is_empty() {
            self.0.remove("header Content-Length");
        }
        let mut put = |name: &str, value: &str| self.0.insert(name.to_owned(), value.to_owned());
        put("body", &body);
        for line in facts.lines() {
            match line.split_once(ARROW) {
                Some((expression, value)) => put(&format!("fact {expression}"), value),
                None => put("behind the facts", line),
            };
        }
    }

    /// Where this answer and another one differ.
    pub fn differences(&self, other: &Answer) -> Differences {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let value = |answer: &Answer, name: &String| answer.0.get(name).cloned().unwrap_or_else(|| "(none)".into());
        names
            .into_iter()
            .map(|name| (name.clone(), value(self, name), value(other, name)))
            .filter(|(_, ours, theirs)| ours != theirs)
            // Where one is sent in chunks, the other one has a length: the client has found it right.
            .filter(|(name, ..)| {
                name != "header Content-Length" || value(self, &FRAMING.into()) == value(other, &FRAMING.into())
            })
            .collect()
    }
}

/// A text without what differs from server to server by chance: its folder, its port, addresses of objects, ids of sessions, and the
/// library's own frames in a traceback.
fn neutral(server: &Server, bytes: &[u8]) -> String {
    let text = bytes.iter().flat_map(|byte| shown(*byte)).collect::<String>();
    let text = text.replace(&server.root().display().to_string(), "ROOT");
    let text = text.replace(&server.port().to_string(), "PORT");
    let text = without(&text, "mod_python/", |c| c.is_ascii_digit() || c.is_ascii_lowercase() || ".+".contains(c));
    let text = without(&text, " Python/", |c| c.is_ascii_digit() || ".+".contains(c));
    let text = without(&text, "0x", |c| c.is_ascii_hexdigit());
    let text = without(&text, "sid=", |c| c.is_ascii_hexdigit());
    match text.contains("Mod_python error: ") {
        true => without_library(&text),
        false => text,
    }
}

/// Bytes as text: what is not ASCII, and what a terminal would not show, escaped.
fn shown(byte: u8) -> Vec<char> {
    match byte {
        b'\n' | b' '..=b'~' => vec![byte.into()],
        _ => format!("\\x{byte:02x}").chars().collect(),
    }
}

/// A text without what follows a mark, where that is longer than a few characters: `0x7f0123` as `0x`.
fn without(text: &str, mark: &str, is_more: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let rest = part.trim_start_matches(&is_more);
        done + mark + if part.len() - rest.len() >= 5 && !rest.starts_with('/') { rest } else { part }
    })
}

/// The page of an error without what is mod_python's own in it: the frames that lead to the program, and how lines are spaced.
fn without_library(text: &str) -> String {
    let is_library = |line: &str| ["/mod_python/", "importlib"].iter().any(|part| line.contains(part));
    let mut skipping = false;
    let mut kept = Vec::new();
    for line in text.split('\n') {
        let is_frame = line.starts_with("  File ");
        skipping = if is_frame { is_library(line) } else { skipping && line.starts_with("    ") };
        // Python 3.11 and later underline the part of the line that failed.
        let is_underline = line.starts_with("    ") && line.trim().chars().all(|c| "^~".contains(c));
        let is_spacing = line.is_empty() || is_underline || line.starts_with("Traceback (most recent");
        if !skipping && !is_spacing {
            kept.push(line);
        }
    }
    kept.join("\n")
}
