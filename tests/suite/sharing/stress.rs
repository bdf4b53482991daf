//! The stress: threads take random steps over every object and method of a shared request.
//!
//! `MOD_PYTHON_STRESS_SECONDS=600 tests/run sharing::stress` has it last longer than the second that it takes here.

use std::env;
use std::time::{Duration, Instant};

use crate::common::who::site;
use crate::fixture::{Server, for_each_mpm};

const PROGRAM: &str = include_str!("stress.py");
const CLIENTS: usize = 4;
const LINES: usize = 40;

fn duration() -> Duration {
    let seconds = env::var("MOD_PYTHON_STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(1.0))
}

/// Asks on one connection until the time is over; how many answers came.
fn ask(server: &Server, client: usize, until: Instant) -> usize {
    let mut count = 0;
    while Instant::now() < until {
        let mut connection = server.raw();
        for _ in 0..5 {
            let name = format!("c{client}-{count}");
            let body: String = (0..LINES).map(|line| format!("{name:<9} {line:>5}\n")).collect();
            let path = ["/stress", "/stress/out", "/stress/in", "/stress/both"][count % 4];
            let request = server
                .request("POST", format!("{path}?{name}"))
                .host(["localhost", "other.test"][client % 2])
                .header("X-Name", &name)
                .header("X-Seed", format!("{client} {count}"))
                .header("X-Steps", "60")
                .header("X-Lines", LINES.to_string())
                .keep_alive()
                .body(body);
            let response = connection.exchange(&request);
            assert_eq!(response.status, 200, "{}", server.log());
            check(&response.text(), &name);
            count += 1;
        }
    }
    count
}

/// Every line is one of this request's, and the last word is that nothing was wrong.
#[track_caller]
fn check(text: &str, name: &str) {
    let end = format!("== end of {name}: 0 wrong []");
    let piece = format!("[{name} ");
    assert!(text.lines().any(|line| line == end), "no end of {name}: {text}");
    for line in text.lines() {
        let is_piece = line.starts_with(&piece) && line.ends_with(']');
        assert!(is_piece || line == "[file]" || line == end, "a wrong line for {name}: {line:?} in {text}");
    }
}

for_each_mpm! {
    fn random_steps_of_many_threads(mpm) {
        let server = site(mpm)
            .children(1)
            .threads(CLIENTS + 2)
            .config(
                r#"
                PythonHandler stress
                PythonOption piece ${HTDOCS}/piece.txt
                PythonOutputFilter stress STRESS-OUT
                PythonInputFilter stress STRESS-IN
                PythonInterpPerDirective Off
                <Location /stress/out>
                    SetOutputFilter STRESS-OUT
                </Location>
                <Location /stress/in>
                    SetInputFilter STRESS-IN
                </Location>
                <Location /stress/both>
                    SetOutputFilter STRESS-OUT
                    SetInputFilter STRESS-IN
                </Location>
                "#,
            )
            .vhost("other.test", "PythonInterpreter other")
            .file("lib/stress.py", PROGRAM)
            .file("piece.txt", "[file]")
            .start();
        let children = server.child_pids();
        let until = Instant::now() + duration();
        let counts: Vec<usize> = std::thread::scope(|scope| {
            let server = &server;
            let clients = if children.len() == 1 && mpm == crate::fixture::Mpm::Prefork { 1 } else { CLIENTS };
            let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || ask(server, client, until))).collect();
            clients.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!(server.child_pids(), children, "{}", server.log());
        for number in ["MP0102", "MP0401", "MP0701"] {
            assert_eq!(server.log_count(number), 0, "{}", server.log());
        }
        println!("{mpm}: {} answers", counts.iter().sum::<usize>());
    }
}
