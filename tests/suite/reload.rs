//! PythonAutoReload: an edited module is loaded again into the same module object, once a second at most, and never breaks
//! what works.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::fixture::{HttpError, Httpd, Mpm, Server, SetOnDrop, eventually, for_each_lasting_mpm, for_each_mpm};

/// Writes a module with a time of its own, which every edit has: files are compared by it.
fn edit(server: &Server, path: &str, version: u64, source: &str) {
    server.write(path, source);
    let file =
        File::options().write(true).open(server.root().join("htdocs").join(path)).expect("the file just written");
    // In the past, as of a file that was there before it was imported
    let time = SystemTime::now() - Duration::from_secs(100_000 - 10 * version);
    file.set_modified(time).expect("a time for the file");
}

/// Asks until this is the answer; when that was asked. Whatever comes meanwhile is a complete 200.
#[track_caller]
fn becomes(server: &Server, path: &str, text: &str) -> Instant {
    eventually(&format!("{text:?} from {path}"), || {
        let asked = Instant::now();
        let response = server.get(path);
        assert_eq!(response.status, 200, "{path}\n{}", server.log());
        (response.text() == text).then_some(asked)
    })
}

fn says(version: u64) -> String {
    format!("def handler(req):\n    req.write('{version} ')\n    return 0\n")
}

/// A server with two handlers that answer together, `main` and `clock`, and a count of the seconds by the second one.
///
/// When the clock's module was seen to have been loaded twice more, the other one has been looked at in between.
struct Clock {
    server: Server,
    ticks: u64,
}

impl Clock {
    fn start(httpd: Httpd, main: &str) -> Clock {
        let server = httpd
            .handler("main", main)
            .file("main/clock.py", says(0))
            .config("<Directory \"${HTDOCS}/main\">\n    PythonHandler main clock\n</Directory>")
            .children(1)
            .start();
        Clock { server, ticks: 0 }
    }

    #[track_caller]
    fn answers(&self, main: &str) {
        becomes(&self.server, "/main", &format!("{main}{} ", self.ticks));
    }

    /// Waits until every module has been looked at, with `main` answering the same all the time.
    #[track_caller]
    fn tick(&mut self, main: &str) {
        for _ in 0..2 {
            self.ticks += 1;
            edit(&self.server, "main/clock.py", self.ticks, &says(self.ticks));
            eventually("the clock", || {
                let text = self.server.get("/main").text();
                assert!(text.starts_with(main), "{text:?}\n{}", self.server.log());
                text.ends_with(&format!(" {} ", self.ticks)).then_some(())
            });
        }
    }
}

#[test]
fn an_edited_module_is_the_same_module() {
    let source = |version: &str| {
        format!(
            "import sys\n\
             loads = globals().get('loads', 0) + 1\n\
             def handler(req):\n\
             \x20   req.write('{version} ')\n\
             \x20   return 0\n\
             class View:\n\
             \x20   def __init__(self, req):\n\
             \x20       self.text = 'view {version} '\n\
             \x20   def show(self, req):\n\
             \x20       req.write(self.text)\n\
             \x20       return 0\n\
             view = View(None)\n\
             def last(req):\n\
             \x20   import other\n\
             \x20   module = sys.modules[__name__]\n\
             \x20   req.write('%d %s %s' % (loads, other.edited is module, getattr(module, 'first_only', '')))\n\
             \x20   return 0\n"
        )
    };
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .handler("edited", &(source("one") + "first_only = 'kept'\n"))
        .file("edited/other.py", "import edited\n")
        .config(
            "<Directory \"${HTDOCS}/edited\">\n\
             \x20   PythonHandler edited edited::View.show edited::view.show edited::last\n\
             \x20   PythonDebug On\n\
             </Directory>",
        )
        .start();
    let mut looked_at = becomes(&server, "/edited", "one view one view one 1 True kept");
    for (version, name, loads) in [(1, "two", 2), (2, "three", 3)] {
        server.forget_log();
        edit(&server, "edited/edited.py", version, &source(name));
        // All four find the new code, the names that it does not set are still there
        let asked = becomes(&server, "/edited", &format!("{name} view {name} view {name} {loads} True kept"));
        assert!(looked_at.elapsed() > Duration::from_millis(990), "once a second at most: {:?}", looked_at.elapsed());
        looked_at = asked;
        assert_eq!(server.log_count("MP0702: loading module 'edited' again"), 1, "{}", server.log());
    }
    assert_eq!(server.log_count("MP04"), 0);
}

#[test]
fn a_packages_parents_are_loaded_again_too() {
    let server = Httpd::new(Mpm::Worker)
        .children(1)
        .file("app/shop/__init__.py", "version = 'one'\n")
        .file("app/shop/views/__init__.py", "title = 'views one'\n")
        .file(
            "app/shop/views/page.py",
            r#"
            import shop

            def handler(req):
                req.write("%s, %s" % (shop.version, shop.views.title))
                return 0
            "#,
        )
        .config(
            "<Directory \"${HTDOCS}/app\">\n\
             \x20   SetHandler mod_python\n\
             \x20   PythonHandler shop.views.page\n\
             </Directory>",
        )
        .start();
    becomes(&server, "/app/", "one, views one");
    edit(&server, "app/shop/__init__.py", 1, "version = 'two'\n");
    becomes(&server, "/app/", "two, views one");
    edit(&server, "app/shop/views/__init__.py", 1, "title = 'views two'\n");
    becomes(&server, "/app/", "two, views two");
}

#[test]
fn code_that_does_not_load_leaves_the_old_code_answering() {
    let mut clock = Clock::start(Httpd::new(Mpm::Event), &(says(1) + "state = 'good'\n"));
    clock.answers("1 ");
    for (version, source, error) in [
        (2, "state = 'bad'\ndef handler(req:\n", "SyntaxError"),
        (3, "state = 'bad'\ndel handler\n1 / 0\n", "ZeroDivisionError"),
        (4, "state = 'bad'\nimport sys\nsys.exit('no')\n", "SystemExit"),
        (5, "state = 'bad'\nimport no_such_module\n", "ModuleNotFoundError"),
    ] {
        let server = &clock.server;
        server.forget_log();
        edit(server, "main/main.py", version, source);
        clock.tick("1 ");

        // Once for a change of the file, however often it is looked at
        let told = clock.server.log_lines("MP07");
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains("MP0703: module 'main'") && told[0].contains(error), "{told:#?}");
        assert!(told[0].contains("[python:error]") && told[0].contains("[client "), "{told:#?}");
        assert!(clock.server.log_lines(error).len() > 1, "the traceback follows");
        assert_eq!(clock.server.log_count("MP04"), 0);
    }
    edit(&clock.server, "main/main.py", 6, "def handler(req):\n    req.write('mended %s ' % state)\n    return 0\n");
    clock.answers("mended good ");
}

for_each_lasting_mpm! {
    /// Every child, and each request of it, so that the browser does not show pages of different ages.
    fn with_debugging_code_that_does_not_load_shows_its_error(mpm) {
        let application = |text: &str| format!("def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{text}']\n");
        let server = Httpd::new(mpm)
            .children(2)
            .config("PythonDebug On\nPythonApplication /site main:application path=${HTDOCS}/app\nPythonApplication /script ${HTDOCS}/script.wsgi")
            .handler("page", &says(1))
            .file("app/main.py", application("1"))
            .file("script.wsgi", application("1"))
            .start();
        for (path, file, good) in [("/page", "page/page.py", says(2)), ("/site", "app/main.py", application("2")), ("/script", "script.wsgi", application("2"))] {
            for response in server.parallel(8, |_| server.request("GET", path)) {
                assert_eq!((response.status, response.text().trim()), (200, "1"), "{}", server.log());
            }
            edit(&server, file, 2, "first = 1\nsecond = first / 0\n");
            server.forget_log();
            // Each child looks at its files once a second.
            eventually("an error of each child", || {
                server.parallel(8, |_| server.request("GET", path));
                let told = server.log_lines("MP0401");
                server.child_pids().iter().all(|pid| told.iter().any(|line| line.contains(&format!("[pid {pid}:")))).then_some(())
            });
            for response in server.parallel(8, |_| server.request("GET", path)) {
                let text = response.text();
                assert_eq!(response.status, 500, "{text}\n{}", server.log());
                assert!(text.contains("second = first / 0") && text.contains("ZeroDivisionError"), "{text}");
                assert!(!text.contains("_importing") && !text.contains("frozen importlib"), "{text}");
            }
            edit(&server, file, 3, &good);
            eventually("eight pages of the new code at once", || {
                let found = server.parallel(8, |_| server.request("GET", path));
                found.iter().all(|response| response.status == 200 && response.text().trim() == "2").then_some(())
            });
            assert_eq!(server.log_count("MP0703"), 0, "{}", server.log());
        }
    }
}

#[test]
fn a_deleted_file_leaves_its_code_answering() {
    let mut clock = Clock::start(Httpd::new(Mpm::Prefork), &says(1));
    clock.answers("1 ");
    let path = clock.server.root().join("htdocs/main/main.py");
    std::fs::remove_file(&path).expect("the module's file");
    clock.tick("1 ");
    let told = clock.server.log_lines("MP07");
    assert!(told.len() == 1 && told[0].contains("MP0704: the file of module 'main'"), "{told:#?}");
    edit(&clock.server, "main/main.py", 2, &says(2));
    clock.answers("2 ");
}

#[test]
fn without_auto_reload_nothing_is_loaded_again() {
    let config = "<Directory \"${HTDOCS}/fixed\">\n    PythonAutoReload Off\n</Directory>";
    let mut clock = Clock::start(Httpd::new(Mpm::Event).handler("fixed", &says(1)).config(config), &says(1));
    clock.answers("1 ");
    assert_eq!(clock.server.get("/fixed").text(), "1 ");
    edit(&clock.server, "fixed/fixed.py", 2, &says(2));
    clock.tick("1 ");
    assert_eq!(clock.server.get("/fixed").text(), "1 ");
    clock.server.graceful();
    assert_eq!(clock.server.get("/fixed").text(), "2 ", "a new child has the new code");
}

#[test]
fn each_interpreter_loads_for_itself() {
    let source = |version: &str| {
        format!(
            "loads = globals().get('loads', 0) + 1\n\
             def handler(req):\n\
             \x20   req.write('{version}, loaded %d times in %s' % (loads, req.interpreter))\n\
             \x20   return 0\n"
        )
    };
    let server = Httpd::new(Mpm::Event).children(1).handler("each", &source("one")).vhost("a.test", "").start();
    let at = |host: &str| server.request("GET", "/each").host(host).send().text();
    for host in ["localhost", "a.test"] {
        assert_eq!(at(host), format!("one, loaded 1 times in {host}"));
    }
    edit(&server, "each/each.py", 1, &source("two"));
    for host in ["localhost", "a.test"] {
        eventually("the new code", || (at(host) == format!("two, loaded 2 times in {host}")).then_some(()));
    }
    assert_eq!(at("localhost"), "two, loaded 2 times in localhost");
}

#[test]
fn a_module_that_was_not_there_is_found_when_it_is() {
    let server = Httpd::new(Mpm::Prefork)
        .children(1)
        .handler("late", "import no_such_module\n")
        .config("<Location /missing>\n    SetHandler mod_python\n    PythonHandler missing\n    PythonPath \"['${HTDOCS}/late']\"\n</Location>")
        .start();
    assert_eq!(server.get("/late").status, 500);
    assert_eq!(server.get("/missing").status, 500);
    // At once: nothing works yet that could go on
    edit(&server, "late/late.py", 1, &says(1));
    edit(&server, "late/missing.py", 1, &says(2));
    assert_eq!(server.get("/late").text(), "1 ");
    assert_eq!(server.get("/missing").text(), "2 ");
}

for_each_mpm! {
    fn under_load_no_request_fails(mpm) {
        // Slow to load, so that many requests come meanwhile
        let source = |version: u64| {
            format!(
                "import time\nversion = {version}\ndef text():\n    return 'version %d' % version\ntime.sleep(0.1)\n\
                 def handler(req):\n    req.write(text())\n    return 0\n"
            )
        };
        let server = Httpd::new(mpm)
            .children(3)
            .threads(4)
            .config("MaxKeepAliveRequests 0")
            .handler("load", &source(0))
            .start();
        becomes(&server, "/load", "version 0");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                // Over one connection each: thousands of them are hard on the system
                scope.spawn(|| {
                    let mut connection = server.raw().restless();
                    while !done.load(Ordering::Relaxed) {
                        let request = server.request("GET", "/load").keep_alive();
                        let response = match connection.try_exchange(&request) {
                            // event closes idle connections while all its threads are busy
                            Err(HttpError::NoResponse) => {
                                connection = server.raw().restless();
                                connection.exchange(&request)
                            }
                            other => other.expect("a response"),
                        };
                        assert!(response.status == 200 && response.text().starts_with("version "), "{response:?}");
                        // Dozens come during a load all the same, and the machine has something left for others
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    // Ended before httpd is stopped: event can crash over connections that it keeps then
                    let _ = connection.try_exchange(&server.request("GET", "/load"));
                    connection.finish_sending().read_to_end();
                });
            }
            let end = SetOnDrop(&done);
            for version in 1..=3 {
                edit(&server, "load/load.py", version, &source(version));
                becomes(&server, "/load", &format!("version {version}"));
            }
            edit(&server, "load/load.py", 4, "version = 4\ndef handler(req:\n");
            server.wait_for_log("MP0703", 1);
            drop(end);
        });
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
    fn nothing_is_served_of_code_that_is_not_complete(mpm) {
        // At first everything is missing that the handler needs
        let source = |version: u64| {
            format!(
                "import time\ntable = {{}}\ndef handler(req):\n    req.write(text(version))\n    return 0\n\
                 def text(name{version}):\n    time.sleep(0.005)\n    return table[name{version}]\n\
                 version = None\ntime.sleep(0.8)\nversion = {version}\ntable[version] = 'version %d' % version\n"
            )
        };
        let server = Httpd::new(mpm).children(1).threads(6).handler("slow", &source(0)).start();
        becomes(&server, "/slow", "version 0");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let end = SetOnDrop(&done);
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let response = server.get("/slow");
                        assert!(response.status == 200 && response.text().starts_with("version "), "{response:?}");
                    }
                });
            }
            for version in 1..=2 {
                edit(&server, "slow/slow.py", version, &source(version));
                becomes(&server, "/slow", &format!("version {version}"));
            }
            drop(end);
        });
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}
