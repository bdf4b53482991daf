//! Which requests share globals: those of one interpreter of one child, and no others.

use std::collections::BTreeMap;

use crate::common::who::{Answer, ask, ask_all, distinct, site};
use crate::fixture::{Mpm, for_each_lasting_mpm, for_each_mpm};

/// Every module (an interpreter's own copy), with the counts that it gave.
fn counts(answers: &[Answer]) -> BTreeMap<(u32, String), Vec<u64>> {
    let mut counts: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for answer in answers {
        counts.entry((answer.pid, answer.module.clone())).or_default().push(answer.count);
    }
    counts.values_mut().for_each(|counts| counts.sort_unstable());
    counts
}

for_each_lasting_mpm! {
    fn globals_belong_to_one_interpreter_of_one_child(mpm) {
        let server = site(mpm)
            .children(2)
            .file(
                "lib/brief.py",
                // Long enough for the next request to need another thread.
                "
                import time
                from who import tell
                def handler(req):
                    time.sleep(0.01)
                    return tell(req)
                ",
            )
            .config("PythonHandler brief")
            .vhost("a.test", "")
            .vhost("b.test", "")
            .vhost("shared-1.test", "PythonInterpreter shared")
            .vhost("shared-2.test", "PythonInterpreter shared")
            .start();
        let pids = server.child_pids();
        let children = pids.len();
        assert_eq!(children > 1, mpm != Mpm::OneChild);

        let request = |host: &str| server.request("GET", "/x").host(host);
        let a = ask_all(&server, &pids, |_| request("a.test"));
        let b = ask_all(&server, &pids, |_| request("b.test"));
        let shared = ask_all(&server, &pids, |i| request(["shared-1.test", "shared-2.test"][i % 2]));

        for answers in [&a, &b, &shared] {
            let threads = distinct(answers, |answer| (answer.pid, answer.thread)).len();
            assert!(if mpm.is_threaded() { threads > children } else { threads == children }, "{threads} threads");
            let counts = counts(answers);
            assert_eq!(counts.len(), children, "one copy of the module in each child: {answers:?}");
            for ((pid, _), counts) in counts {
                let expected: Vec<u64> = (1..=counts.len() as u64).collect();
                assert_eq!(counts, expected, "no update is lost and none comes from elsewhere, in {pid}");
            }
        }
        let everything: Vec<Answer> = [a, b, shared].concat();
        assert_eq!(
            distinct(&everything, |answer| answer.module.clone()).len(),
            children * 3,
            "virtual hosts share nothing unless they name the same interpreter: {everything:?}"
        );
        assert_eq!(server.log_count("MP0301"), children * 3, "P1: each was made once");
    }
}

for_each_mpm! {
    fn a_graceful_restart_leaves_nothing_of_them(mpm) {
        let server = site(mpm).children(1).config("PythonHandler who").start();
        let before = ask(&server, "localhost", "/x");
        server.graceful();
        let after = ask(&server, "localhost", "/x");
        assert_ne!(after.pid, before.pid);
        assert_ne!(after.module, before.module);
        assert_eq!(after.count, 1);
    }
}

for_each_lasting_mpm! {
    fn a_child_keeps_them_from_request_to_request(mpm) {
        let server = site(mpm).children(1).config("PythonHandler who").start();
        let answers: Vec<Answer> = (0..20).map(|_| ask(&server, "localhost", "/x")).collect();
        assert_eq!(counts(&answers).into_values().collect::<Vec<_>>(), [(1..=20).collect::<Vec<u64>>()]);
    }
}
