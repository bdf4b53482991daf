//! Where each directive may stand.

use crate::common::who::{ask, site};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// Those for every section and for .htaccess files.
const ANYWHERE: [&str; 20] = [
    "PythonInitHandler nobody | .none",
    "PythonHeaderParserHandler nobody | .none",
    "PythonAccessHandler nobody | .none",
    "PythonAuthenHandler nobody | .none",
    "PythonAuthzHandler nobody | .none",
    "PythonTypeHandler nobody | .none",
    "PythonFixupHandler nobody | .none",
    "PythonHandler who",
    "PythonLogHandler nobody | .none",
    "PythonCleanupHandler nobody | .none",
    // It has no function that is called like a phase's.
    "PythonHandlerModule string",
    "PythonInterpreter some",
    "PythonInterpPerDirectory Off",
    "PythonInterpPerDirective Off",
    "PythonPath \"['${HTDOCS}/lib'] + sys.path\"",
    "PythonOption name value",
    "PythonOption name",
    "PythonAutoReload On",
    "PythonDebug Off",
    "PythonEnablePdb Off",
];

/// Those for the server and its virtual hosts.
const SERVER: [&str; 6] = [
    "PythonPostReadRequestHandler who",
    "PythonTransHandler who",
    "PythonConnectionHandler who",
    "PythonImport who some",
    "PythonOptimize Off",
    "PythonInterpreterOptions some gil=shared",
];

/// Those for the server, its virtual hosts and all sections, but no .htaccess file.
const NO_HTACCESS: [&str; 3] = ["PythonInputFilter who", "PythonInputFilter who named", "PythonOutputFilter who named"];

/// Those for sections, and .htaccess files where AllowOverride has AuthConfig.
const AUTHENTICATION: [&str; 2] = ["PythonAuthBasicProvider who", "PythonAuthDigestProvider who::other"];

const SECTIONS: [&str; 11] = [
    "<Directory /srv>",
    "<Directory /srv/*>",
    "<Directory ~ ^/srv>",
    "<DirectoryMatch ^/srv>",
    "<Location /x>",
    "<Location ~ ^/x>",
    "<LocationMatch ^/x>",
    "<Files x>",
    "<Files ~ x>",
    "<FilesMatch x>",
    "<If true>",
];

fn within(section: &str, line: &str) -> String {
    let name = section.trim_start_matches('<').split(' ').next().unwrap_or_default();
    format!("{section}\n    {line}\n</{name}>\n")
}

#[test]
fn handlers_and_settings_may_stand_everywhere() {
    let mut config = String::new();
    for line in ANYWHERE.iter().chain(&NO_HTACCESS) {
        config += &format!("{line}\n{}", within("<VirtualHost *:80>", line));
        for section in SECTIONS {
            config += &within(section, line);
            config += &within("<VirtualHost *:80>", &within(section, line));
        }
        config += &within("<Directory /srv>", &within("<Files x>", line));
        config += &within("<Directory /srv>", &within("<If true>", line));
    }
    let test = Httpd::new(Mpm::Event).config(config).configtest();
    assert!(test.accepted, "{}", test.output);
}

#[test]
fn who_is_asked_about_users_may_stand_in_sections() {
    let mut config = String::new();
    for line in AUTHENTICATION {
        for section in SECTIONS {
            config += &within(section, line);
            config += &within("<VirtualHost *:80>", &within(section, line));
        }
        config += &within("<AuthnProviderAlias python named>", line)
            .replace("named", line.split(' ').next().unwrap_or_default());
    }
    let test = Httpd::new(Mpm::Event).config(config).configtest();
    assert!(test.accepted, "{}", test.output);
    for line in AUTHENTICATION {
        for config in [line.to_owned(), within("<VirtualHost *:80>", line)] {
            let test = Httpd::new(Mpm::Event).config(&config).configtest();
            let directive = line.split(' ').next().unwrap_or_default();
            assert!(
                !test.accepted && test.output.contains(&format!("{directive} not allowed")),
                "{config}: {}",
                test.output
            );
        }
    }
}

#[test]
fn what_concerns_the_process_may_stand_in_servers() {
    let lines = SERVER.join("\n");
    let config = format!("{lines}\n{}", within("<VirtualHost *:80>", &lines));
    let test = Httpd::new(Mpm::Event).config(config).configtest();
    assert!(test.accepted, "{}", test.output);
}

#[test]
fn what_concerns_the_process_may_stand_in_no_section() {
    for line in SERVER {
        let directive = line.split(' ').next().unwrap_or_default();
        for section in ["<Directory /srv>", "<Location /x>", "<FilesMatch x>", "<If true>"] {
            let test = Httpd::new(Mpm::Event)
                .file("wrong.conf", within(section, line))
                .config("Include ${HTDOCS}/wrong.conf")
                .configtest();
            assert!(!test.accepted, "{line} in {section}");
            assert!(test.output.contains("Syntax error on line 2 of "), "{}", test.output);
            assert!(test.output.contains("/htdocs/wrong.conf:"), "{}", test.output);
            assert!(test.output.contains(&format!("{directive} not allowed")), "{}", test.output);
        }
    }
}

#[test]
fn if_module_finds_it_under_both_names() {
    let server = site(Mpm::Prefork)
        .config(
            r#"
            <IfModule mod_python.c>
                PythonHandler who
            </IfModule>
            <IfModule python_module>
                PythonInterpreter found
            </IfModule>
            <IfModule !mod_python.c>
                NoSuchDirective
            </IfModule>
            "#,
        )
        .start();
    assert_eq!(ask(&server, "localhost", "/x").interpreter, "found");

    let without = Httpd::new(Mpm::Prefork).without_python().config(
        "<IfModule mod_python.c>\n    NoSuchDirective\n</IfModule>\n<IfModule python_module>\n    NoSuchDirective\n</IfModule>",
    );
    assert!(without.configtest().accepted);
}

for_each_mpm! {
    fn htaccess_files_may_have_them(mpm) {
        let mut site = site(mpm).file("all/.htaccess", ANYWHERE.join("\n"));
        for class in ["AuthConfig", "FileInfo", "Indexes", "Limit", "Options"] {
            site = site
                .file(format!("{class}/.htaccess"), ANYWHERE.join("\n"))
                .config(format!("<Directory ${{HTDOCS}}/{class}>\n    AllowOverride {class}\n</Directory>"));
        }
        let server = site
            .file("listed/.htaccess", "PythonHandler who")
            .file("unlisted/.htaccess", "PythonHandler who\nPythonDebug On")
            .config(
                r#"
                <Directory "${HTDOCS}/listed">
                    AllowOverride None
                    AllowOverrideList PythonHandler
                </Directory>
                <Directory "${HTDOCS}/unlisted">
                    AllowOverride None
                    AllowOverrideList PythonHandler
                </Directory>
                "#,
            )
            .start();
        for folder in ["all", "AuthConfig", "FileInfo", "Indexes", "Limit", "Options"] {
            assert_eq!(ask(&server, "localhost", &format!("/{folder}/x")).interpreter, "some", "{folder}");
        }
        assert_eq!(ask(&server, "localhost", "/listed/x").interpreter, "localhost");
        assert_eq!(server.get("/unlisted/x").status, 500);
        assert!(server.log().contains("PythonDebug not allowed"), "{}", server.log());
    }
}

#[test]
fn htaccess_files_count_for_nothing_under_allow_override_none() {
    let server = site(Mpm::Prefork)
        .file("none/.htaccess", "PythonHandler nonsense::\nPythonInterpreter inner")
        .config("PythonHandler who\n<Directory ${HTDOCS}/none>\n    AllowOverride None\n</Directory>")
        .start();
    assert_eq!(ask(&server, "localhost", "/none/x").interpreter, "localhost");
}

#[test]
fn what_is_not_for_htaccess_files_may_not_stand_there() {
    let mut site = site(Mpm::Prefork).config("PythonHandler who");
    let not_there = || SERVER.iter().chain(&NO_HTACCESS).enumerate();
    for (i, line) in not_there() {
        site = site.file(format!("{i}/.htaccess"), format!("# first line\n{line}"));
    }
    for class in ["FileInfo", "Indexes", "Limit", "Options"] {
        site = site
            .file(format!("{class}/.htaccess"), AUTHENTICATION[0])
            .config(format!("<Directory ${{HTDOCS}}/{class}>\n    AllowOverride {class}\n</Directory>"));
    }
    let server = site.file("AuthConfig/.htaccess", AUTHENTICATION.join("\n")).start();
    for class in ["FileInfo", "Indexes", "Limit", "Options"] {
        assert_eq!(server.get(&format!("/{class}/x")).status, 500, "{class}");
        assert!(server.log().contains("PythonAuthBasicProvider not allowed"), "{}", server.log());
        server.forget_log();
    }
    assert_eq!(server.get("/AuthConfig/x").status, 200, "{}", server.log());
    for (i, line) in not_there() {
        server.forget_log();
        assert_eq!(server.get(&format!("/{i}/x")).status, 500);
        let directive = line.split(' ').next().unwrap_or_default();
        let said = server.log_lines(&format!("{directive} not allowed"));
        assert!(said.len() == 1 && said[0].contains(&format!("/htdocs/{i}/.htaccess:")), "{}", server.log());
    }
    assert_eq!(server.get("/x").status, 200);
}
