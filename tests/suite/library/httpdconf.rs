//! `mod_python.httpdconf` and the command: httpd reads what they write, and serves with it.

use std::path::Path;
use std::process::Command;

use crate::common::checks::passes;
use crate::fixture::{Httpd, for_each_mpm, module_under_test};

/// The Python that runs outside of httpd.
fn python() -> Command {
    let mut command = Command::new(std::env::var("PYO3_PYTHON").unwrap_or_else(|_| "python3".to_owned()));
    command.arg("-B").env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("python"));
    command
}

/// What a program prints that has imported all of httpdconf.
fn printed(program: &str) -> String {
    let output =
        python().args(["-c", &format!("from mod_python.httpdconf import *\n{program}")]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Values with everything that may need a quote.
const VALUES: &str = r#"['plain', 'a b', 'a "b" c', "it's", '"', "'", '\\', 'a\\', 'a\\\\b', 'a\\"b', '\\"', '#', '# x', '<a>', '%{x}', 'é ö', 'x=1; y', '', ' ', '\t', '$1', '</Directory>', '"a" "b"', "'a' b"]"#;

for_each_mpm! {
    fn httpd_reads_what_was_meant(mpm) {
        let config = printed(&format!(r#"
values = {VALUES}
print(Container(
    Comment('Options that end with a backslash do not\\\nhave the next line go on\\'),
    Directory('/', *[PythonOption(f'v{{number}}', value) for number, value in enumerate(values)]),
    If("%{{QUERY_STRING}} =~ /^\\d+ ?\"$/ && -n '%{{HTTP_HOST}}'", PythonOption('matched', 'by digits')),
    ElseIf("%{{QUERY_STRING}} == 'a b'", PythonOption('matched', 'never')),
    Else(PythonOption('matched', 'else')),
    LocationMatch('^/h/(x y|\\d+)$', PythonOption('location', 'a b')),
    Directory('~ /h', PythonOption('tilde', '~')),
    IfModule('!no_such.c', IfVersion('>= 2.4', IfDefine('!NO_SUCH', PythonOption('nested', 'three times')))),
))
"#));
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "h",
                r#"
                def handler(req):
                    options = dict(req.get_options().items())
                    values = [options.pop(f"v{number}", None) for number in range(24)]
                    req.write(repr((values, sorted(options.items()))))
                    return 0
                "#,
            )
            .config(config)
            .start();
        // An empty value removes an option
        let wanted = printed(&format!("print([value or None for value in {VALUES}], end='')"));
        for (url, more) in [
            ("/h", "[('matched', 'else'), ('nested', 'three times'), ('tilde', '~')]"),
            ("/h?12%22", "[('matched', 'else'), ('nested', 'three times'), ('tilde', '~')]"),
            ("/h?123\"", "[('matched', 'by digits'), ('nested', 'three times'), ('tilde', '~')]"),
            ("/h/12", "[('location', 'a b'), ('matched', 'else'), ('nested', 'three times'), ('tilde', '~')]"),
            ("/h/x%20y", "[('location', 'a b'), ('matched', 'else'), ('nested', 'three times'), ('tilde', '~')]"),
        ] {
            let text = server.get(url).text();
            assert_eq!(text, format!("({wanted}, {more})"), "{url}");
        }
    }
}

/// The tests of the library that start an httpd of their own, with the module under test.
#[test]
fn the_command_starts_an_httpd_that_serves() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tests");
    let output = python()
        .args(["-m", "unittest", "-q", "test_command.Control", "test_library_pages"])
        .current_dir(tests)
        .env("MOD_PYTHON_SO", module_under_test())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_line_break_in_a_value_is_refused() {
    let said = printed(
        "for make in (lambda: PythonOption('a', 'b\\nPythonDebug On'), lambda: Directory('/\\r'), lambda: Listen('1\\0')):\n    try:\n        print(make())\n    except ValueError as error:\n        print('refused')",
    );
    assert_eq!(said, "refused\nrefused\nrefused\n");
}

#[test]
fn it_works_inside_httpd_too() {
    passes(
        r#"
        import os
        import sys
        import tempfile

        from mod_python import httpdconf as h, version

        def check(req):
            config = h.Container(h.Directive("Other", ("a b", "c")), h.ContainerTag("Part", "x", [h.Comment("inside")]))
            config.append(h.Container())
            assert str(config) == 'Other "a b" c\n<Part x>\n  # inside\n</Part>\n', config
            assert (h.quote("a b"), h.quote_if_space("ab")) == ('"a b"', "ab")
            assert os.path.basename(version.HTTPD) in ("apache2", "httpd") and version.HTTPD_VERSION.startswith("2.4.")
            assert version.APR_VERSION.startswith("1.") and os.path.isdir(version.LIBEXECDIR) and os.path.isdir(version.SYSCONFDIR)
            assert version.PYTHON_BIN == sys.executable and version.version == __import__("mod_python").mp_version
            raises(AttributeError, lambda: version.none)
            with tempfile.TemporaryDirectory() as folder:
                path = h.write_basic_config(folder, pythonhandler="x::y")
                assert "PythonHandler('x::y')" in open(path).read()
                assert h.write_basic_config(folder) is None
        "#,
    );
}
