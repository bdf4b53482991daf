//! Much goes through, and little is kept of it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{PATIENT, input, output, site};
use crate::fixture::{Mpm, Server};

/// What goes through each way. A child that kept it would grow by this much.
const SIZE: u64 = 256 << 20;

/// By how much a child may grow meanwhile: a megabyte here and there in each of the places that it passes, not a tenth of it.
const GROWTH: u64 = 24 << 20;

const PROGRAMS: &str = r#"
    PIECE = b"0123456789abcde\n" * 4096

    def produces(req):
        for turn in range(int(req.args) // len(PIECE)):
            req.write(PIECE, turn % 2)
        return apache.OK

    def sends(req):
        req.sendfile(os.path.join(req.document_root(), "docs", req.args))
        return apache.OK

    def counts(req):
        """Reads the body in the way that the query names; its length."""
        size = 0
        if req.args == "lines":
            for line in req:
                size += len(line)
        elif req.args == "readline":
            while True:
                line = req.readline()
                if not line:
                    break
                size += len(line)
        else:
            while True:
                data = req.read(int(req.args))
                if not data:
                    break
                size += len(data)
        req.write(str(size))
        return apache.OK

    def pieces(filter):
        """The idiom, with a size."""
        data = filter.read(65536)
        while data:
            filter.write(data)
            data = filter.read(65536)
        if data is None:
            filter.close()

    pieces_in = pieces

    def tiny(filter):
        """Byte by byte, the worst that can be done to what gathers."""
        data = filter.read()
        if data is None:
            filter.close()
        else:
            for at in range(0, len(data), 4):
                filter.write(data[at:at + 4])

    def passing(filter):
        filter.pass_on()

    passing_in = passing

    def hundredfold(filter):
        data = filter.read(8192)
        while data:
            filter.write(data * 100)
            data = filter.read(8192)
        if data is None:
            filter.close()
"#;

fn serving(mpm: Mpm) -> Server {
    let httpd = ["produces", "sends", "counts"].iter().fold(site(mpm, PROGRAMS), |httpd, name| {
        httpd.config(format!("<Files {name}>\nSetHandler mod_python\nPythonHandler f::{name}\n</Files>"))
    });
    let httpd = output(httpd, &["same", "pieces", "tiny", "passing"]);
    let server =
        input(httpd, &["upper", "hundredfold", "passing_in", "pieces_in"]).children(1).config("Timeout 120").start();
    for (name, size) in [("sparse", SIZE), ("some", SOME)] {
        let file = File::create(server.root().join("htdocs/docs").join(name)).expect("a file");
        file.set_len(size).expect("a length");
    }
    server
}

/// The most that a process has held, in bytes.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Asks with a body of this size and reads the response, keeping neither; the size of the response's body.
fn exchange(server: &Server, target: &str, size: u64) -> u64 {
    let line = [&[b'a'; 65535], b"\n".as_slice()].concat();
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENT)).expect("a time-out");
    stream.set_write_timeout(Some(PATIENT)).expect("a time-out");
    let method = if size > 0 { "POST" } else { "GET" };
    let head = format!("{method} {target} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the head is taken");
    for _ in 0..size / line.len() as u64 {
        stream.write_all(&line).expect("the body is taken");
    }
    let mut reader = BufReader::with_capacity(1 << 18, stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    assert!(line.starts_with("HTTP/1.1 200 "), "{target}: {line}\n{}", server.log());
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("a header");
    }
    if target.contains("counts") {
        let mut count = String::new();
        reader.read_to_string(&mut count).expect("a body");
        return count.parse().expect("a number");
    }
    io::copy(&mut reader, &mut io::sink()).expect("the whole body")
}

/// A child stays as small as it was, whatever goes through: a small exchange first, then a large one of that many bytes.
#[track_caller]
fn stays_small(exchanges: &[(&str, u64, &str, u64, u64)]) {
    let server = serving(Mpm::Event);
    let child = *server.child_pids().first().expect("a child");
    for (small, small_size, large, large_size, expected) in exchanges {
        // Whatever is made at first touch is there.
        exchange(&server, small, *small_size);
        let before = peak(child);
        assert_eq!(exchange(&server, large, *large_size), *expected, "{large}");
        let growth = peak(child).saturating_sub(before);
        assert!(growth < GROWTH, "{large}: the child grew by {} KiB", growth / 1024);
    }
    assert_eq!(server.child_pids(), [child]);
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

const SOME: u64 = 1 << 20;

#[test]
fn through_output_filters_over_a_file() {
    stays_small(&[
        ("/passing/some", 0, "/passing/sparse", 0, SIZE),
        ("/same/some", 0, "/same/sparse", 0, SIZE),
        ("/pieces/some", 0, "/pieces/sparse", 0, SIZE),
        ("/tiny/doc.txt", 0, "/tiny/some", 0, SOME),
    ]);
}

#[test]
fn through_output_filters_over_a_handler() {
    let (some, all) = (format!("?{SOME}"), format!("?{SIZE}"));
    stays_small(&[
        (&format!("/docs/produces{some}"), 0, &format!("/docs/produces{all}"), 0, SIZE),
        (&format!("/same/produces{some}"), 0, &format!("/same/produces{all}"), 0, SIZE),
        ("/docs/sends?some", 0, "/docs/sends?sparse", 0, SIZE),
        ("/same/sends?some", 0, "/same/sends?sparse", 0, SIZE),
    ]);
}

#[test]
fn through_input_filters() {
    stays_small(&[
        ("/upper/counts?65536", SOME, "/upper/counts?65536", SIZE, SIZE),
        ("/upper/counts?lines", SOME, "/upper/counts?lines", SIZE, SIZE),
        ("/pieces_in/counts?65536", SOME, "/pieces_in/counts?65536", SIZE, SIZE),
        // Many times as much as is asked for at once is kept, but no more than for that.
        ("/hundredfold/counts?65536", 1 << 16, "/hundredfold/counts?65536", 1 << 21, 100 << 21),
        ("/passing_in/counts?65536", SOME, "/passing_in/counts?65536", SIZE, SIZE),
    ]);
}

#[test]
fn without_filters() {
    stays_small(&[
        ("/docs/counts?65536", SOME, "/docs/counts?65536", SIZE, SIZE),
        ("/docs/counts?1000", SOME, "/docs/counts?1000", SIZE / 4, SIZE / 4),
        ("/docs/counts?lines", SOME, "/docs/counts?lines", SIZE, SIZE),
        ("/docs/counts?readline", SOME, "/docs/counts?readline", SIZE, SIZE),
    ]);
}
