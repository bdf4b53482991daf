//! `mod_python.testing`: the stand-in answers as a server does.

use std::path::Path;
use std::process::Command;

use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// The Python that runs the stand-in.
fn python() -> String {
    std::env::var("PYO3_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

for_each_mpm! {
    fn handlers_answer_alike(mpm) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let server = Httpd::new(mpm)
            .children(1)
            .handler("conformance_handlers", include_str!("conformance_handlers.py"))
            .config("<Directory \"${HTDOCS}/conformance_handlers\">\n    PythonOption own value\n</Directory>")
            .start();
        let output = Command::new(python())
            .arg("-B")
            .arg(root.join("tests/suite/library/conformance.py"))
            .arg(server.port().to_string())
            .arg(root.join("python"))
            .env("HTDOCS", server.root().join("htdocs"))
            .output()
            .expect("Python runs");
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{errors}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.ends_with(" requests, 0 differences"), "{said}\n{}", server.log());
        let count: usize = last.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default();
        assert!(count >= 50, "{last}");
    }
}

#[test]
fn the_stand_in_and_the_command_are_not_in_the_module() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "h",
            r#"
            def handler(req):
                import importlib
                for name in ("testing", "_testing_request", "_command", "_command_create", "__main__"):
                    try:
                        importlib.import_module(f"mod_python.{name}")
                    except ImportError:
                        continue
                    req.write(f"{name} ")
                from mod_python import httpdconf, version
                req.write(str(httpdconf.Listen(80)) + version.HTTPD_VERSION[:4])
                return 0
            "#,
        )
        .start();
    assert_eq!(server.get("/h").text(), "Listen 80\n2.4.", "{}", server.log());
}
