//! Extension modules of the standard library in several interpreters at once.

use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, for_each_mpm, has_own_gil};

const HOSTS: [&str; 5] = ["localhost", "a.test", "b.test", "c.test", "main.test"];

fn extensions(mpm: Mpm) -> Httpd {
    site(mpm)
        .children(1)
        .threads(HOSTS.len())
        .file(
            "lib/extensions.py",
            r#"
            import datetime
            import decimal
            import hashlib
            import json
            import sqlite3
            import ssl
            import struct
            import zlib

            def handler(req):
                for n in range(20):
                    day = datetime.datetime(2024, 2, 28) + datetime.timedelta(days=n)
                    assert day.isoformat().startswith("2024-0")
                    with decimal.localcontext() as context:
                        context.prec = 20 + n
                        assert str(decimal.Decimal(1) / 3).count("3") == 20 + n
                    digest = hashlib.sha256(b"%d" % n).hexdigest()
                    assert json.loads(json.dumps({"digest": digest}))["digest"] == digest
                    database = sqlite3.connect(":memory:")
                    database.execute("create table t (n, day timestamp)")
                    database.executemany("insert into t values (?, ?)", [(i, str(day)) for i in range(n)])
                    assert database.execute("select count(*) from t").fetchone() == (n,)
                    database.close()
                    assert zlib.decompress(zlib.compress(digest.encode() * 100)) == digest.encode() * 100
                    assert struct.unpack("!I", struct.pack("!I", n)) == (n,)
                assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
                req.write(digest[:8])
                return 0
            "#,
        )
        .config("PythonHandler extensions")
        .vhost("a.test", "")
        .vhost("b.test", "")
        .vhost("c.test", "")
        .vhost("main.test", "PythonInterpreter main_interpreter")
}

#[track_caller]
fn serve(site: Httpd) {
    let server = site.start();
    for _ in 0..5 {
        let count = if server.mpm().is_threaded() { HOSTS.len() } else { 1 };
        for turn in HOSTS.chunks(count) {
            for response in server.parallel(count, |i| server.request("GET", "/x").host(turn[i])) {
                assert_eq!((response.status, response.text().as_str()), (200, "9400f1b2"), "{}", server.log());
            }
        }
    }
}

for_each_mpm! {
    /// P13: imported first by several interpreters together, and used there.
    fn they_work_in_all_of_them(mpm) {
        serve(extensions(mpm));
    }
}

/// P9: C parts of `datetime` and `decimal` that were loaded in interpreters with a GIL of their own corrupted the heap.
#[test]
fn they_work_under_gils_of_their_own() {
    // 3.12 refuses several of them there; what it takes instead is what its documentation says.
    if has_own_gil() {
        serve(extensions(Mpm::OneChild).config("PythonInterpreterOptions * gil=own"));
    }
}
