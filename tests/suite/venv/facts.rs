//! An interpreter with an environment is as its bin/python, and one without is as it was.

use super::folders::{Folders, Venv, python};
use super::has_python;
use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

/// What both are asked. What the path has beyond the environment and the standard library is the handler's own.
const FACTS: &str = r#"
import site, sys, sysconfig

def facts():
    names = sorted(name for name in sys.modules if name.startswith("marked"))
    known = [
        ("version", sys.version_info[:2]),
        ("prefix", sys.prefix), ("exec_prefix", sys.exec_prefix),
        ("base_prefix", sys.base_prefix), ("base_exec_prefix", sys.base_exec_prefix),
        ("executable", sys.executable), ("_home", getattr(sys, "_home", None)),
        ("path", [folder for folder in sys.path if not folder.endswith("/htdocs/lib")]),
        ("PREFIXES", site.PREFIXES), ("packages", site.getsitepackages()), ("user", site.ENABLE_USER_SITE),
        ("paths", sorted(sysconfig.get_paths().items())),
        ("scheme", sysconfig.get_default_scheme() if hasattr(sysconfig, "get_default_scheme") else None),
        ("prefixes", [sysconfig.get_config_var(name) for name in ("prefix", "exec_prefix", "base", "installed_base")]),
        ("flags", sys.flags.no_site), ("site", site.__file__, site.__spec__.origin), ("marked", names),
        ("builtins", [hasattr(__builtins__, name) if not isinstance(__builtins__, dict) else name in __builtins__
                      for name in ("exit", "quit", "help", "copyright")]),
    ]
    return "".join("%s=%r\n" % (fact[0], fact[1:]) for fact in known)
"#;

/// A handler that tells the facts, and one that has programs and processes tell theirs.
fn telling(mpm: Mpm) -> Httpd {
    site(mpm)
        .file("lib/facts.py", FACTS)
        .file(
            "lib/tell.py",
            r#"
            import facts

            def handler(req):
                req.write(facts.facts())
                return 0

            def programs(req):
                import multiprocessing, subprocess, sys
                script = "import sys; print(sys.prefix)"
                program = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    process = pool.apply(eval, ("__import__('sys').prefix, __import__('thing').version",))
                req.write("%s %s" % (program.strip(), process))
                return 0
            "#,
        )
        .config("PythonHandler tell\n<Location /programs>\n    PythonHandler tell::programs\n</Location>")
}

#[track_caller]
fn said(server: &Server, host: &str, path: &str) -> String {
    let response = server.request("GET", path).host(host).send();
    assert_eq!(response.status, 200, "{}\n{}", response.text(), server.log());
    response.text()
}

/// With paths and an import in .pth files, and a sitecustomize.
fn furnish(venv: Venv) -> Venv {
    venv.write("more/marked_path.py", "");
    venv.write("some.pth", "# a comment\nmore\nno/such/folder\nimport marked_import; import marked_path\n");
    venv.write("marked_import.py", "import sys\nsys.path.append('/added/by/an/import')\n");
    venv.write("sitecustomize.py", "import marked_customized\n");
    venv.write("marked_customized.py", "");
    venv.with_package("thing", "1.0")
}

for_each_mpm! {
    fn an_interpreter_is_as_its_own_python(mpm) {
        if !has_python() {
            return;
        }
        let folders = Folders::new();
        let alone = furnish(folders.venv("alone", &[]));
        let system = furnish(folders.venv("system", &["--system-site-packages"]));
        let copied = folders.venv("copied", &["--copies"]);
        let server = telling(mpm)
            .config(format!("PythonInterpreterOptions alone.test venv={}", alone.folder()))
            .config(format!("PythonInterpreterOptions system.test venv={}", system.folder()))
            .config(format!("PythonInterpreterOptions copied.test venv={}", copied.folder()))
            .config(format!("PythonInterpreterOptions main_interpreter venv={}", alone.folder()))
            .vhost("alone.test", "")
            .vhost("system.test", "")
            .vhost("copied.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        let script = format!("{FACTS}\nprint(facts(), end='')");
        for (host, venv) in [("main.test", &alone), ("system.test", &system), ("copied.test", &copied), ("alone.test", &alone)] {
            assert_eq!(said(&server, host, "/x"), venv.prints(&script), "{host}");
        }
        // The sitecustomize is not imported where the system has one (Debian): it is looked for on the path.
        assert!(said(&server, "alone.test", "/x").contains("'marked_import', 'marked_path'"));
    }
}

for_each_mpm! {
    fn one_without_an_environment_is_as_before(mpm) {
        if !has_python() {
            return;
        }
        let folders = Folders::new();
        let venv = furnish(folders.venv("one", &[]));
        let before = telling(mpm).vhost("b.test", "").vhost("main.test", "PythonInterpreter main_interpreter").start();
        let beside = telling(mpm)
            .config(format!("PythonInterpreterOptions a.test venv={}", venv.folder()))
            .vhost("a.test", "")
            .vhost("b.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        said(&beside, "a.test", "/x");
        for host in ["b.test", "main.test"] {
            assert_eq!(said(&beside, host, "/x"), said(&before, host, "/x"), "{host}");
        }
    }
}

#[test]
fn programs_and_processes_are_of_the_environment() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let (a, b) =
        (folders.venv("a", &[]).with_package("thing", "1.0"), folders.venv("b", &[]).with_package("thing", "2.0"));
    // A Python that was copied elsewhere finds its library no more.
    let library = python().and_then(|python| Some(python.parent()?.with_file_name("lib"))).expect("asked");
    let server = telling(Mpm::OneChild)
        .env("LD_LIBRARY_PATH", library)
        .config(format!("PythonInterpreterOptions a.test venv={}", a.folder()))
        .config(format!("PythonInterpreterOptions b.test venv={}", b.folder()))
        .vhost("a.test", "")
        .vhost("b.test", "")
        .start();
    for (host, venv, number) in [("a.test", &a, "1.0"), ("b.test", &b, "2.0")] {
        let folder = venv.folder();
        assert_eq!(said(&server, host, "/programs"), format!("{folder} ('{folder}', '{number}')"));
    }
}

/// What an environment's files do wrong is told, and does not keep the application from serving, as in bin/python.
#[test]
fn a_pth_file_that_fails_is_told_and_left_out() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let venv = furnish(folders.venv("one", &[]));
    venv.write("broken.pth", "import no_such_module\n");
    venv.write("usercustomize.py", "raise ValueError('not asked')\n");
    let server = telling(Mpm::OneChild)
        .config(format!("PythonInterpreterOptions a.test venv={}", venv.folder()))
        .vhost("a.test", "")
        .start();
    assert!(said(&server, "a.test", "/x").contains("marked_import"));
    server.wait_for_log("broken.pth", 1);
    server.wait_for_log("No module named 'no_such_module'", 1);
}
