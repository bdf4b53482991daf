//! The manual's examples answer as its pages say. `page.rs` says how a page says it.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{Httpd, Mpm, Server};
use page::{Example, Exchange, TRIED, examples};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// One test for each page.
macro_rules! pages {
    ($($name:ident: $page:literal,)+) => {
        /// Every page that is tested.
        const PAGES: &[&str] = &[$($page),+];

        $(#[test]
        fn $name() {
            serve($page, Mpm::Event);
        })+
    };
}

pages! {
    python_api: "python-api.md",
    apache: "api/apache.md",
    phases: "api/phases.md",
    request: "api/request.md",
    server: "api/server.md",
    connection: "api/connection.md",
    filter: "api/filter.md",
    table: "api/table.md",
    finfo: "api/finfo.md",
    hlist: "api/hlist.md",
    includes: "includes.md",
    applications: "applications.md",
    library_cache: "library/cache.md",
    library_publisher: "library/publisher.md",
    library_util: "library/util.md",
    library_psp: "library/psp.md",
    library_testhandler: "library/testhandler.md",
    library_cgihandler: "library/cgihandler.md",
    library_cookie: "library/Cookie.md",
    library_session: "library/Session.md",
    first_handler: "first-handler.md",
    layout: "layout.md",
    proxies: "proxies.md",
    hardening: "hardening.md",
    logs: "logs.md",
    asyncio: "asyncio.md",
    troubleshooting: "troubleshooting.md",
    migration_gunicorn: "migration-gunicorn.md",
}

/// What it says holds under each process model.
#[test]
fn asyncio_under_prefork() {
    serve("asyncio.md", Mpm::Prefork);
}

/// What an example that is not shown finds in the log, its page has.
#[test]
fn what_is_tried_is_what_a_page_says() {
    for name in PAGES {
        let text = fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"));
        let shown: String = text.split("<!--").map(|part| part.rsplit("-->").next().unwrap_or("")).collect();
        for example in examples(&text).unwrap_or_default().iter().filter(|example| example.language == TRIED) {
            let missing: Vec<_> = example.log.iter().filter(|part| !shown.contains(part.as_str())).collect();
            assert!(missing.is_empty(), "docs/{name}, line {}: the page does not show {missing:?}", example.line);
        }
    }
}

#[test]
fn every_page_of_the_api_is_tested() {
    for entry in fs::read_dir(docs().join("api")).expect("a folder").flatten() {
        let name = format!("api/{}", entry.file_name().to_string_lossy());
        assert!(PAGES.contains(&name.as_str()), "docs/{name} has no test");
    }
}

/// Pages of the library whose examples need no server: python/tests/test_library_pages.py runs them.
const WITHOUT_SERVER: [&str; 3] = ["library/httpdconf.md", "library/command.md", "library/testing.md"];

#[test]
fn every_page_of_the_library_is_tested() {
    for entry in fs::read_dir(docs().join("library")).expect("a folder").flatten() {
        let name = format!("library/{}", entry.file_name().to_string_lossy());
        let is_tested = PAGES.contains(&name.as_str()) || WITHOUT_SERVER.contains(&name.as_str());
        assert!(is_tested || name == "library/README.md", "docs/{name} has no test");
    }
}

#[test]
fn an_example_without_a_check_is_found() {
    let wrong = |text: &str| examples(text).err().unwrap_or_default();
    assert_eq!(wrong("a\n```python\nx = 1\n```\n\nb\n"), ["line 2: the example has no check"]);
    assert_eq!(wrong("```python\n```\n<!-- check\n-->\n"), ["line 1: a request or an answer is missing"]);
    assert_eq!(
        wrong("```html\n```\n<!-- check\n> GET /\n< 200\nnonsense\n< x\n-->\n"),
        ["line 1: not understood: nonsense", "line 1: not understood: < x"]
    );
    assert!(wrong("```python\n```\n<!-- check\n> GET /\n< 200\n= text\n-->\n```sh\nls\n```\n").is_empty());
    assert_eq!(wrong("<!-- try\n> GET /\n-->\n"), ["line 1: a request or an answer is missing"]);
    assert!(wrong("<!-- try\nfile a\n| b\n+ Options None\n> GET /\n< 200\nlog c\n-->\n").is_empty());
}

/// Serves the examples of a page, each from a virtual host of its own.
fn serve(name: &str, mpm: Mpm) {
    let text = fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"));
    let examples = examples(&text).unwrap_or_else(|wrong| panic!("docs/{name}:\n{}", wrong.join("\n")));
    let (alone, together): (Vec<_>, Vec<_>) = examples.iter().partition(|example| example.alone);
    for example in alone {
        let base = example.modules.iter().fold(Httpd::new(mpm), |httpd, module| httpd.module(module));
        let server = files(base, example).config(configuration(example)).start();
        check(&server, name, example, "localhost");
    }
    let base = Httpd::new(mpm).children(1);
    let httpd = together
        .iter()
        .fold(base, |httpd, example| files(httpd, example).vhost(&host(example), configuration(example)));
    let server = httpd.start();
    for example in together {
        server.forget_log();
        check(&server, name, example, &host(example));
    }
}

fn host(example: &Example) -> String {
    format!("line{}", example.line)
}

fn files(httpd: Httpd, example: &Example) -> Httpd {
    let file = match example.language.as_str() {
        "html" => "page.shtml".to_owned(),
        "psp" => "page.psp".to_owned(),
        _ => format!("{}.py", example.module.replace('.', "/")),
    };
    let shown = (example.language != TRIED).then(|| (file, example.code.clone()));
    let files = shown.into_iter().chain(example.files.clone());
    files.fold(httpd, |httpd, (file, text)| httpd.binary_file(format!("{}/{file}", host(example)), text))
}

fn configuration(example: &Example) -> String {
    let folder = format!("${{HTDOCS}}/{}", host(example));
    let own = match (&example.configuration, example.language.as_str()) {
        (Some(text), _) => text.replace("/srv/app", &folder),
        (None, TRIED) => String::new(),
        (None, "html") => "AddOutputFilter INCLUDES .shtml\n".to_owned(),
        (None, "psp") => format!(
            "<Directory \"{folder}\">\n    AddHandler mod_python .psp\n    PythonHandler mod_python.psp\n</Directory>\n"
        ),
        (None, _) => format!(
            "<Directory \"{folder}\">\n    SetHandler mod_python\n    PythonHandler {}\n</Directory>\n",
            example.module
        ),
    };
    let basics = format!(
        "DocumentRoot \"{folder}\"\n<Directory \"{folder}\">\n    DirectorySlash Off\n    DirectoryIndex disabled\n</Directory>\n"
    );
    let more = example.more.iter().map(|line| line.replace("/srv/app", &folder) + "\n");
    basics + &own + &more.collect::<String>()
}

fn check(server: &Server, name: &str, example: &Example, host: &str) {
    for exchange in &example.exchanges {
        let place = format!("docs/{name}, the example in line {}: {} {}", example.line, exchange.method, exchange.url);
        let wrong = differences(server, exchange, host);
        assert!(wrong.is_empty(), "{place}\n{}\n{}", wrong.join("\n"), server.log());
    }
    for text in &example.log {
        server.wait_for_log(text, 1);
    }
}

fn differences(server: &Server, exchange: &Exchange, host: &str) -> Vec<String> {
    let mut request = server.request(&exchange.method, &exchange.url).host(host);
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &exchange.body {
        request = request.body(body.trim_end_matches('\n'));
    }
    let response = request.send();
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, sentence: String| {
        if !holds {
            wrong.push(sentence);
        }
    };
    let text = response.text();
    expect(response.status == exchange.status, format!("the status is {}, not {}", response.status, exchange.status));
    for (name, value) in &exchange.answered {
        let all = response.headers.all(name);
        expect(all.iter().any(|given| is_same(given, value)), format!("{name} is {all:?}, not {value:?}"));
    }
    for name in &exchange.absent {
        expect(response.header(name).is_none(), format!("there is a header {name}"));
    }
    if let Some(lines) = &exchange.lines {
        expect(text.trim_end() == lines.trim_end(), format!("the body is\n{text}\nnot\n{lines}"));
    }
    for part in &exchange.parts {
        expect(text.contains(part), format!("the body does not have {part:?}:\n{text}"));
    }
    wrong
}

/// Whether two values of a header are the same; lists may be in another order, as those of methods are.
fn is_same(given: &str, value: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    given == value || parts(given) == parts(value)
}
