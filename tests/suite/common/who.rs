//! A handler that tells who answered: which child, thread, interpreter and copy of its module; and what it says.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::{Httpd, Mpm, Request, Response, Server, wait_until};

/// The module `who`. Its `module` is another text for each time that it is imported into an interpreter.
pub const WHO: &str = r#"
    import os
    import threading

    from mod_python import apache

    module = os.urandom(8).hex()
    count = 0
    lock = threading.Lock()

    def tell(req, **more):
        global count
        with lock:
            count += 1
            facts = dict(pid=os.getpid(), parent=os.getppid(), thread=threading.get_ident(), interpreter=apache.interpreter,
                         module=module, count=count, **more)
        req.content_type = "text/plain"
        req.write("".join("%s=%s\n" % fact for fact in facts.items()))
        return apache.OK

    def handler(req):
        return tell(req)
"#;

/// What `who` said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub pid: u32,
    pub parent: u32,
    pub thread: u64,
    pub interpreter: String,
    pub module: String,
    pub count: u64,
    facts: BTreeMap<String, String>,
}

impl Answer {
    #[track_caller]
    pub fn of(response: &Response) -> Answer {
        assert_eq!(response.status, 200, "{}", response.text());
        let facts: BTreeMap<String, String> = response
            .text()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
            .collect();
        let fact =
            |name: &str| facts.get(name).unwrap_or_else(|| panic!("no {name}= in {:?}", response.text())).clone();
        Answer {
            pid: fact("pid").parse().expect("a number"),
            parent: fact("parent").parse().expect("a number"),
            thread: fact("thread").parse().expect("a number"),
            interpreter: fact("interpreter"),
            module: fact("module"),
            count: fact("count").parse().expect("a number"),
            facts: facts.clone(),
        }
    }

    /// Whether one of these children answered, itself or by a process that it forked for the connection.
    pub fn is_from(&self, children: &[u32]) -> bool {
        children.contains(&self.pid) || children.contains(&self.parent)
    }

    /// Something that a test's own handler has told beside.
    #[track_caller]
    pub fn fact(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name}= in {self:?}"))
    }

    /// The same, where it may not be there.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }
}

/// An httpd that serves all of its documents with Python, `who` being on the path.
pub fn site(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).file("lib/who.py", WHO).config(
        r#"
        PythonPath "['${HTDOCS}/lib'] + sys.path"
        <Directory "${HTDOCS}">
            DirectorySlash Off
            DirectoryIndex disabled
            SetHandler mod_python
        </Directory>
        "#,
    )
}

/// Asks `who` under a host's name.
#[track_caller]
pub fn ask(server: &Server, host: &str, path: &str) -> Answer {
    Answer::of(&server.request("GET", path).host(host).send())
}

/// Sends requests, several at once, until each of these children has answered some.
#[track_caller]
pub fn ask_all(server: &Server, children: &[u32], request: impl Fn(usize) -> Request) -> Vec<Answer> {
    const AT_ONCE: usize = 8;
    let mut answers: Vec<Answer> = Vec::new();
    wait_until("every child to answer", || {
        answers.extend(server.parallel(AT_ONCE, &request).iter().map(Answer::of));
        children.iter().all(|pid| answers.iter().any(|answer| answer.pid == *pid))
    });
    answers
}

/// What is the same in none of these answers appears once here.
pub fn distinct<T: Ord>(answers: &[Answer], what: impl Fn(&Answer) -> T) -> BTreeSet<T> {
    answers.iter().map(what).collect()
}
