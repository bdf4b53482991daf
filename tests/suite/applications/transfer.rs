//! Bodies that are larger than what a child may hold, both ways; benches/transfer does it with a gigabyte.

use std::fs::File;
use std::time::Duration;

use super::applications;
use crate::common::probe::with_code;
use crate::fixture::{Framing, for_each_mpm};

const SIZE: usize = 64 << 20;
/// What a child may grow by meanwhile, in KiB: a small part of what passes.
const MOST: u64 = 16 << 10;

for_each_mpm! {
    fn large_bodies_pass_through_little_memory(mpm) {
        let server = applications(mpm).children(1).start();
        let child = server.wait_for_children(1)[0];
        let file = server.scratch().join("large");
        File::create(&file).and_then(|file| file.set_len(SIZE as u64)).expect("a file of ours");
        let file = file.to_str().expect("a path of ours");
        let downloads = [
            ("response = (bytes(65536) for turn in range(1024))".to_owned(), Framing::Chunked),
            ("any(w(bytes(65536)) for turn in range(1024)); response = []".into(), Framing::Chunked),
            (format!("f = open({file:?}, 'rb'); response = iter(lambda: f.read(65536), b'')"), Framing::Chunked),
            (format!("response = environ['wsgi.file_wrapper'](open({file:?}, 'rb'))"), Framing::Length(SIZE as u64)),
        ];
        let get = |code: &str| {
            let code = format!("w = start_response('200 OK', []); {code}");
            with_code(server.request("GET", "/app").timeout(Duration::from_secs(30)), &code).send()
        };
        let uploads = ["iter(lambda: i.read(65536), b'')", "iter(lambda: i.readline(65536), b'')", "i"];
        let body = [&[b'x'; 1023][..], b"\n"].concat().repeat(SIZE / 1024);
        let post = |code: &str, is_chunked: bool| {
            let request = server.request("POST", "/app").timeout(Duration::from_secs(30));
            let request = match is_chunked {
                true => request.chunked(body.chunks(100_000)),
                false => request.body(&body),
            };
            with_code(request, &format!("i = environ['wsgi.input']; out(sum(map(len, {code})))")).send().text()
        };
        // What is set up once, is.
        assert_eq!(with_code(server.request("GET", "/app"), "out(1)").send().text(), "1");
        let before = server.most_resident_kib(child);
        for (code, framing) in downloads {
            let response = get(&code);
            assert_eq!((response.status, response.body.len(), response.framing), (200, SIZE, framing), "{code}\n{}", server.log());
        }
        for code in uploads {
            for is_chunked in [false, true] {
                assert_eq!(post(code, is_chunked), SIZE.to_string(), "{code}\n{}", server.log());
            }
        }
        let grown = server.most_resident_kib(child) - before;
        assert!(grown < MOST, "the child has grown by {grown} KiB");
        assert_eq!(server.child_pids(), [child]);
    }
}
