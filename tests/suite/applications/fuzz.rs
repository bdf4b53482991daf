//! wsgiref's validator around an application under fuzzed requests: PEP 3333 is kept to whatever a client sends.

use crate::fixture::{Httpd, RawConnection, Response, Server, for_each_mpm};

/// How many requests each process model gets.
const REQUESTS: u64 = 1500;
/// How many clients send them.
const CLIENTS: u64 = 3;

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        for shift in [13, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        usize::try_from((self.0 >> 16) % limit as u64).expect("it was a usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, most: usize, alphabet: &[u8]) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

const TOKEN: &[u8] = b"abcXYZ019-!#$%&'*+.^_`|~";
const URL: &[u8] = b"abcXYZ019-._~!$&'()*+,;=:@/";

/// A request, and what its answer must be if there is nothing wrong with it.
struct Fuzzed {
    bytes: Vec<u8>,
    method: String,
    answer: Option<Answer>,
}

enum Answer {
    Nothing,
    Text(String),
}

impl Fuzzed {
    fn of(numbers: &mut Numbers) -> Self {
        let methods = ["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"];
        let method = match numbers.one_in(10) {
            true => format!("X{}", String::from_utf8_lossy(&numbers.bytes(8, b"ABCDEF-"))),
            false => numbers.pick(&methods).to_owned(),
        };
        let (target, query, mut is_good) = target(numbers);
        let mut head = [method.as_bytes(), b" ", &target, b" HTTP/1.1\r\nHost: localhost\r\n"].concat();
        let read = numbers.pick(&["none", "some", "all", "pieces", "lines", "parts", "list", "hinted", "iterated"]);
        let ways = ["list", "nothing", "length", "write", "file", "stream", "empty pieces"];
        let send = numbers.pick(&ways);
        head.extend(format!("X-Read: {read}\r\nX-Send: {send}\r\n").bytes());
        for _ in 0..numbers.below(6) {
            is_good &= header(numbers, &mut head);
        }
        let (body, framed) = body(numbers, &mut head, &mut is_good);
        let said = match read {
            "none" | "some" => "-".to_owned(),
            _ => format!("{} {}", body.len(), crc32(&body)),
        };
        let answer = match send {
            "nothing" => Answer::Nothing,
            _ => Answer::Text(format!("{method} {said} {query}")),
        };
        let bytes = [head, b"\r\n".to_vec(), framed].concat();
        Self { bytes, method, answer: is_good.then_some(answer) }
    }
}

/// A target, its query, and whether every server must take it.
fn target(numbers: &mut Numbers) -> (Vec<u8>, String, bool) {
    let mut target = numbers
        .pick(&["/app", "/app/", "/under", "/under/x", "/app//", "http://localhost/app"])
        .to_owned()
        .into_bytes();
    let mut is_good = true;
    if target.ends_with(b"/") || target.ends_with(b"x") {
        target.extend(numbers.bytes(20, URL));
        for _ in 0..numbers.below(4) {
            target.extend(format!("%{:02x}", 1 + numbers.below(255)).bytes());
        }
        // Dots can lead out of the application; an encoded slash is httpd's to refuse, and so is what its strict reading finds.
        is_good = !target.windows(2).any(|pair| pair == b"/.")
            && !target.windows(3).any(|code| [b"%2f", b"%2e"].contains(&code.try_into().expect("three")));
    }
    let mut query = String::new();
    if numbers.one_in(2) {
        query = String::from_utf8(numbers.bytes(30, URL)).expect("ASCII");
        target.extend(format!("?{query}").bytes());
    }
    if numbers.one_in(20) {
        is_good = false;
        target.extend(match numbers.below(4) {
            0 => b"%".to_vec(),
            1 => b"/%00".to_vec(),
            2 => numbers.bytes(3, b"\x80\xff\x01 \t"),
            _ => b"/../../../x".to_vec(),
        });
    }
    (target, query, is_good)
}

/// Adds a header; says whether every server must take it.
fn header(numbers: &mut Numbers, head: &mut Vec<u8>) -> bool {
    let known = [
        "Accept",
        "Cookie",
        "Cookie",
        "Content-Type",
        "Content-Type",
        "Proxy",
        "Authorization",
        "X-A",
        "X-A",
        "x_a",
        "Content_Type",
        "Content_Length",
        "Referer",
        "Forwarded",
        "Content-Encoding",
        "Script-Name",
        "Path-Info",
        "Wsgi.Input",
        "Https",
        "Remote-User",
    ];
    let name = match numbers.one_in(3) {
        true => [b"Y".to_vec(), numbers.bytes(12, TOKEN)].concat(),
        false => numbers.pick(&known).into(),
    };
    let value = numbers.bytes(30, b"abc 019;=,\"\\/\t\xe9\xff");
    head.extend([&name, b": ".as_slice(), &value, b"\r\n"].concat());
    if numbers.one_in(30) {
        let bad: [&[u8]; 5] = [b": no name\r\n", b"no colon\r\n", b" folded\r\n", b"a b: c\r\n", b"X: \x01\x00\r\n"];
        head.extend(bad[numbers.below(bad.len())]);
        return false;
    }
    true
}

/// A body, and the same as it is sent; adds the headers that say how.
fn body(numbers: &mut Numbers, head: &mut Vec<u8>, is_good: &mut bool) -> (Vec<u8>, Vec<u8>) {
    let most = [0, 10, 1000, 40_000][numbers.below(4)];
    let body = numbers.bytes(most, b"abcdef\r\n\n\x00\xff");
    if numbers.one_in(10) {
        head.extend(b"Expect: 100-continue\r\n");
    }
    match numbers.below(if numbers.0 % 16 == 0 { 5 } else { 3 }) {
        0 => (Vec::new(), Vec::new()),
        1 => {
            head.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
            (body.clone(), body)
        }
        2 => {
            head.extend(b"Transfer-Encoding: chunked\r\n");
            let mut framed = Vec::new();
            let mut rest = body.as_slice();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(1 + numbers.below(rest.len().min(5000)));
                let extension = numbers.pick(&["", "", ";a=b", ";x", " "]);
                framed.extend([format!("{:X}{extension}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
                rest = after;
            }
            framed.extend(numbers.pick(&["0\r\n\r\n", "000\r\n\r\n", "0\r\nX-Trailer: 1\r\n\r\n"]).bytes());
            (body, framed)
        }
        3 => {
            *is_good = false;
            let bad =
                ["-1", "1x", "99999999999999999999999", "10\r\nContent-Length: 11", "10\r\nTransfer-Encoding: chunked"];
            head.extend(format!("Content-Length: {}\r\n", numbers.pick(&bad)).bytes());
            (body.clone(), body)
        }
        _ => {
            *is_good = false;
            head.extend(b"Transfer-Encoding: chunked\r\n");
            let bad = ["zz\r\n", "-1\r\n", "5\r\nab", "fffffffffffffffff\r\nx", "3\r\nabcdef\r\n", "0\r\n"];
            let framed = [b"2\r\nab\r\n", numbers.pick(&bad).as_bytes()].concat();
            (body, framed)
        }
    }
}

/// As zlib has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// The answer over a connection that may be closed before all is sent.
fn exchange(connection: &mut RawConnection, request: &Fuzzed) -> Option<Response> {
    // An error shows in what is read.
    let _ = connection.try_send(&request.bytes);
    if request.answer.is_none() {
        connection.finish_sending();
    }
    loop {
        let response = connection.try_response(&request.method).ok()?;
        if !response.is_interim() {
            return Some(response);
        }
    }
}

#[track_caller]
fn send(server: &Server, seed: u64, count: u64) {
    let mut numbers = Numbers(seed);
    let mut connection = None;
    for turn in 0..count {
        let request = Fuzzed::of(&mut numbers);
        let is_fresh = connection.is_none();
        let open = connection.get_or_insert_with(|| server.raw().restless());
        let mut response = exchange(open, &request);
        if response.is_none() && !is_fresh {
            // A server may close a connection that waits for its next request.
            response = exchange(connection.insert(server.raw().restless()), &request);
        }
        let begin = &request.bytes[..request.bytes.len().min(1000)];
        let place = || format!("request {turn} of seed {seed}: {:?}\n{response:?}", String::from_utf8_lossy(begin));
        match (&request.answer, &response) {
            (Some(answer), Some(response)) => {
                let (status, text) = match answer {
                    Answer::Nothing => (204, ""),
                    Answer::Text(_) if request.method == "HEAD" => (200, ""),
                    Answer::Text(text) => (200, text.as_str()),
                };
                assert!(response.status == status && response.text() == text, "{text}\n{}\n{}", place(), server.log());
            }
            (Some(_), None) => panic!("{}", place()),
            (None, Some(response)) => assert_ne!(response.status, 500, "{}\n{}", place(), server.log()),
            (None, None) => {}
        }
        let closes = response.is_none_or(|response| response.header("Connection") == Some("close"));
        if closes || request.answer.is_none() {
            connection = None;
        }
    }
}

for_each_mpm! {
    fn the_validator_finds_nothing(mpm) {
        let server = Httpd::new(mpm)
            .config(
                "PythonApplication /app fuzzed:application path=${HTDOCS}/lib\n\
                 PythonApplication /under fuzzed:application path=${HTDOCS}/lib underscores=on\n\
                 <Location /under>\n    PythonPassAuthorization On\n</Location>\n\
                 MaxKeepAliveRequests 0",
            )
            .file("lib/fuzzed.py", include_str!("fuzzed.py"))
            .start();
        std::thread::scope(|scope| {
            for client in 1..=CLIENTS {
                let server = &server;
                scope.spawn(move || send(server, 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(client), REQUESTS / CLIENTS));
            }
        });
        for found in ["AssertionError", "garbage collected", "MP0401", "Traceback"] {
            assert_eq!(server.log_lines(found), [""; 0], "{found}");
        }
    }
}
