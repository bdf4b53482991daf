//! The store: each user has one of its own.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{itk_tests, two_users};
use crate::common::who::site;
use crate::fixture::Mpm;

itk_tests! {
    fn each_user_has_a_store_of_its_own() {
        let server = two_users(site(Mpm::Prefork))
            .file(
                "lib/counts.py",
                "
                import os
                from mod_python import apache, store
                def handler(req):
                    with store.open().lock('one'):
                        req.write('%d %d' % (os.geteuid(), store.open().incr('n')))
                    return apache.OK
                ",
            )
            .config("PythonHandler counts")
            .start();
        let mut users = Vec::new();
        for round in 1..=3 {
            for host in ["www.test", "nobody.test"] {
                let answer = server.request("GET", "/x").host(host).send().text();
                let (user, count) = answer.split_once(' ').expect("user and count");
                assert_eq!(count, round.to_string(), "{host}");
                users.push(user.parse::<u32>().expect("a number"));
            }
        }
        users.sort_unstable();
        users.dedup();
        assert_eq!(users.len(), 2);
        let folder = server.root().join("run/mod_python-stores/default");
        for user in users {
            let found = fs::metadata(folder.join(user.to_string())).expect("the user's folder");
            assert_eq!((found.uid(), found.mode() & 0o777), (user, 0o700));
        }
        server.restart();
        let answer = server.request("GET", "/x").host("www.test").send().text();
        assert!(answer.ends_with(" 4"), "{answer}");
    }

    fn a_request_that_becomes_another_user_goes_on_with_the_other_store() {
        let server = two_users(site(Mpm::Prefork))
            .file(
                "lib/early.py",
                "
                import os
                from mod_python import apache, store
                def before(req):
                    # Not the request's user yet
                    store.open()['before'] = os.geteuid()
                    return apache.OK
                def handler(req):
                    store.open()['user'] = os.geteuid()
                    req.write('%d %s' % (os.geteuid(), sorted(store.open())))
                    return apache.OK
                ",
            )
            .config("PythonPostReadRequestHandler early::before\nPythonHandler early")
            .start();
        for host in ["www.test", "nobody.test"] {
            for _ in 0..2 {
                let answer = server.request("GET", "/x").host(host).send().text();
                let (user, keys) = answer.split_once(' ').expect("user and keys");
                let folder = server.root().join("run/mod_python-stores/default").join(user);
                // In the one or the other, as the folder is on a disk or in memory
                let is_there = ["data.mdb", "writemap/data.mdb"].map(|file| folder.join(file).exists());
                assert!(is_there[0] != is_there[1], "{host}: {answer}");
                if host == "nobody.test" {
                    assert_eq!(keys, "['user']", "{host}");
                }
            }
        }
    }
}
