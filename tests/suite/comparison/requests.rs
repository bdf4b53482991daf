//! The files of requests: `@name METHOD URL`, headers behind `>`, a body behind `<`; other lines are for the handlers.

use crate::fixture::{Request, Server};

/// One request, to be sent to both servers.
#[derive(Debug, Default)]
pub struct Asked {
    pub name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
}

/// The requests of a file.
pub fn read(text: &'static str) -> Vec<Asked> {
    let mut all: Vec<Asked> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('@') {
            let mut words = heading.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default();
            all.push(Asked { name: word(), method: word(), target: word(), ..Asked::default() });
        } else if let Some(header) = line.strip_prefix("> ") {
            let (name, value) = header.split_once(": ").unwrap_or_else(|| panic!("no header: {line}"));
            let asked = all.last_mut().expect("a header follows its request");
            asked.headers.push((name, unescaped(value)));
        } else if let Some(body) = line.strip_prefix('<') {
            let asked = all.last_mut().expect("a body follows its request");
            asked.body = Some(unescaped(body.strip_prefix(' ').unwrap_or(body)));
        }
    }
    all
}

impl Asked {
    pub fn request(&self, server: &Server) -> Request {
        let mut request = server.request(self.method, self.target);
        let mut chunked = false;
        for (name, value) in &self.headers {
            match *name {
                "Transfer-Encoding" => chunked = true,
                "Connection" => request = request.keep_alive(),
                _ => request = request.header(name, value),
            }
        }
        match &self.body {
            None => request,
            Some(body) if chunked => request.chunked([body]),
            Some(body) => request.body(body),
        }
    }
}

/// A text with `\n`, `\r`, `\t` and `\xHH` made what they stand for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).expect("two hexadecimal digits");
                u8::from_str_radix(digits, 16).expect("two hexadecimal digits")
            }
            other => panic!("no escape: {other:?} in {text}"),
        });
    }
    bytes
}
