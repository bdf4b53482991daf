//! What is below a connection handler, or above it: TLS, HTTP/2.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::{logged_nothing, other, site};
use crate::fixture::{Mpm, has_module, make_certificate, not_tested};

#[test]
fn tls_is_below() {
    if !has_module("ssl") || Command::new("openssl").arg("version").output().is_err() {
        return not_tested("this httpd has no mod_ssl, or there is no openssl");
    }
    let certificate = tempfile();
    make_certificate(&certificate, "other.test");
    let programs = r#"
        def secure(conn):
            line = conn.readline()
            while line:
                conn.write(b"got " + line)
                if line == b"all\n":
                    conn.write(b"x" * 300000 + b"\n")
                line = conn.readline(10)
            return apache.OK
    "#;
    for mpm in [Mpm::Prefork, Mpm::Event] {
        let directives = format!(
            "c::secure\nSSLEngine on\nSSLCertificateFile {0}/cert.pem\nSSLCertificateKeyFile {0}/key.pem",
            certificate.display()
        );
        let server = site(mpm, &directives, programs).module("socache_shmcb").module("ssl").start();
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect", &other(&server).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut input = client.stdin.take().expect("a pipe");
        let mut output = BufReader::new(client.stdout.take().expect("a pipe"));
        let mut line = |sent: &str, expected: &str| {
            input.write_all(sent.as_bytes()).expect("openssl takes it");
            let mut line = String::new();
            output.read_line(&mut line).expect("a line");
            assert_eq!(line, expected, "{}", server.log());
        };
        line("one\n", "got one\n");
        line("and two\n", "got and two\n");
        line("all\n", "got all\n");
        line("", &format!("{}\n", "x".repeat(300_000)));
        line("more than ten\n", "got more than got ten\n");
        client.kill().expect("a process of ours");
        client.wait().expect("its end");
        assert_eq!(server.get("/doc.txt").text(), "Hello, world!");
    }
    std::fs::remove_dir_all(certificate).expect("our folder");
}

/// A folder of this test's own.
fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("mod_python-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn http_2_streams_are_no_connections() {
    if !has_module("http2") {
        return not_tested("this httpd has no mod_http2");
    }
    let curl = Command::new("curl").arg("-V").output();
    if !curl.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("HTTP2")) {
        return not_tested("there is no curl that speaks HTTP/2");
    }
    let programs = r#"
        def counts(conn):
            with open(scratch(conn, "count"), "a") as file:
                file.write("x")
            return apache.DECLINED
    "#;
    let server = site(Mpm::Event, "c::counts\nProtocols h2c http/1.1", programs).module("http2").start();
    let url = format!("http://{}/doc.txt", other(&server));
    let output = Command::new("curl")
        .args(["-s", "--http2-prior-knowledge", "-w", " %{http_version}", &url])
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Hello, world! 2", "{}", server.log());
    // The connection itself was looked at, the stream on it not.
    assert_eq!(std::fs::read_to_string(server.scratch().join("count")).expect("the file"), "x");
    logged_nothing(&server);
}
