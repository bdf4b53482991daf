//! Filters over TLS, whose buckets are good for a moment only, and over HTTP/2.

use std::process::Command;

use super::{input, logged_nothing, output, site};
use crate::fixture::{Mpm, has_module, make_certificate, not_tested};

const PROGRAMS: &str = r#"
    def passes_twice(filter):
        """Gives out what came first when more has come."""
        filter.pass_on()
        if not filter.closed:
            filter.pass_on()

    def reads_and_passes(filter):
        data = filter.read(100)
        if data is None:
            filter.close()
        else:
            filter.write(data)
            filter.pass_on()

    def slowly(filter):
        data = filter.read(7)
        if data is None:
            filter.close()
        else:
            filter.write(data)
"#;

/// What curl gives with these arguments.
#[track_caller]
fn curl(arguments: &[&str], url: &str) -> Vec<u8> {
    let output =
        Command::new("curl").args(["-sSk", "--max-time", "60"]).args(arguments).arg(url).output().expect("curl runs");
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn bodies_and_responses_over_tls_and_http_2() {
    if !has_module("ssl") || !has_module("http2") {
        return not_tested("this httpd has no mod_ssl or no mod_http2");
    }
    if !Command::new("curl")
        .arg("-V")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("HTTP2"))
    {
        return not_tested("there is no curl that speaks HTTP/2");
    }
    if Command::new("openssl").arg("version").output().is_err() {
        return not_tested("there is no openssl");
    }
    let folder = std::env::temp_dir().join(format!("mod_python-filters-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    make_certificate(&folder, "localhost");
    let body: Vec<u8> = (0..300_000u32).map(|at| b'a' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 26).collect();
    std::fs::write(folder.join("body"), &body).expect("a file");
    let names = ["passes_twice", "reads_and_passes", "slowly", "upper"];
    let server = output(input(site(Mpm::Event, PROGRAMS), &names), &["brackets"])
        .module("socache_shmcb")
        .module("ssl")
        .module("http2")
        .config(format!(
            "Listen 127.0.0.2:${{PORT}} https\n<VirtualHost 127.0.0.2:${{PORT}}>\nServerName localhost\nProtocols h2 http/1.1\nSSLEngine on\n\
             SSLCertificateFile {0}/cert.pem\nSSLCertificateKeyFile {0}/key.pem\n</VirtualHost>",
            folder.display()
        ))
        .start();
    // mod_ssl says what it thinks of such a certificate.
    server.forget_log();
    let data = format!("@{}", folder.join("body").display());
    for protocol in ["--http1.1", "--http2"] {
        for name in names {
            let expected = if name == "upper" { body.to_ascii_uppercase() } else { body.clone() };
            let url = format!("https://127.0.0.2:{}/{name}/echo", server.port());
            assert!(curl(&[protocol, "--data-binary", &data], &url) == expected, "{protocol} {name}");
            let chunked = ["-H", "Transfer-Encoding: chunked", protocol, "--data-binary", &data];
            assert!(protocol == "--http2" || curl(&chunked, &url) == expected, "{name} in chunks");
        }
        let url = format!("https://127.0.0.2:{}/brackets/doc.txt", server.port());
        assert_eq!(String::from_utf8_lossy(&curl(&[protocol], &url)), "[Hello, world!]");
    }
    logged_nothing(&server);
    std::fs::remove_dir_all(folder).expect("our folder");
}
