//! `mod_python.cache`.

use crate::common::checks::{passed, serving, sharing};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

for_each_mpm! {
    fn each_kind_of_cache_makes_a_value_once(mpm) {
        let (server, path) = sharing(mpm, r#"
            import gc
            import os
            import shutil
            import tempfile
            from mod_python import cache

            class Doubled(cache.Cache):
                def __init__(self, max_size=0):
                    cache.Cache.__init__(self, max_size)
                    self.seen = []
                def key(self, name):
                    return name.lower()
                def check(self, key, name, entry):
                    assert isinstance(entry, cache.Entry)
                    return None
                def build(self, key, name, opened, entry):
                    self.seen.append((key, name, opened))
                    return key * 2
                def commit(self):
                    self.seen.append("commit")

            class Thing:
                pass

            class Things(cache.WeakCache):
                def build(self, key, name, opened, entry):
                    return Thing()

            def check(req):
                doubled = Doubled(2)
                assert [doubled[name] for name in "aAbc"] == ["aa", "aa", "bb", "cc"]
                assert doubled.seen[:3] == [("a", "a", None), "commit", ("b", "b", None)], doubled.seen
                assert "a" not in doubled and len(doubled) == 2 and (doubled.lru(), doubled.mru()) == ("b", "c")
                doubled["b"] = "set"
                assert doubled["b"] == "set"
                del doubled["b"]
                doubled.clear()
                assert len(doubled) == 0
                assert cache.Entry("k")._value is cache.NOT_INITIALIZED

                calls = []
                add = cache.FunctionCache(lambda a, b=1: calls.append(a) or a + b)
                assert (add(1), add(1), add(1, b=2), calls) == (2, 2, 3, [1, 1])
                assert add.function(5) == 6

                things = Things()
                kept = things["x"]
                assert things["x"] is kept
                del kept
                gc.collect()
                assert len(things) == 0

                path = os.path.join(tempfile.mkdtemp(), "file.txt")
                files, modules = cache.FileCache(mode="r"), cache.ModuleCache()
                for text in ("x = 1", "x = 'longer'"):
                    with open(path, "w") as file:
                        file.write(text)
                    assert files[path] == text and files.mode == "r"
                    assert modules[path].x == eval(text[4:]) and modules[path] is modules[path]
                shutil.rmtree(os.path.dirname(path))
                raises(FileNotFoundError, files.__getitem__, path)
                entity = cache.HTTPEntity(b"\xe9", {"Content-Type": "text/plain; charset=latin-1"})
                assert str(entity) == "\xe9" and entity.entity == b"\xe9" and list(entity.metadata) == ["Content-Type"]
                raises(ValueError, cache.HTTPCache().__getitem__, "file:///etc/passwd", says="http")
                from mod_python import python22
        "#);
        passed(&server, &server.get(&path));
    }
}

#[test]
fn what_another_server_sends_is_kept() {
    let other = Httpd::new(Mpm::Event).file("text.txt", "text").file("code.txt", "x = 42").start();
    let server = serving(
        Mpm::Event,
        &r#"
        import os
        from mod_python import cache

        entities, modules = cache.HTTPCache(), cache.HttpModuleCache()
        entities.timeout = 10

        def check(req):
            first = entities["http://127.0.0.1:PORT/text.txt"]
            assert str(first) == "text\n" and first.metadata["Content-Type"] == "text/plain"
            # By its ETag, the other server is asked whether it has changed
            assert entities["http://127.0.0.1:PORT/text.txt"] is first
            assert modules["http://127.0.0.1:PORT/code.txt"].x == 42
            import urllib.error
            raises(urllib.error.HTTPError, entities.__getitem__, "http://127.0.0.1:PORT/none", says="404")
    "#
        .replace("PORT", &other.port().to_string()),
    )
    .start();
    passed(&server, &server.get("/t"));
}
