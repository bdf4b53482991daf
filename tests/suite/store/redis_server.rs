//! A Redis or Valkey server of a test's own, on a free port of the loopback and on a Unix socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use crate::fixture::not_tested;

/// The last ones are the server under another name: Debian has them in a package that starts no service.
const PROGRAMS: [&str; 4] = ["valkey-server", "redis-server", "valkey-check-rdb", "redis-check-rdb"];

const BOUND: Duration = Duration::from_secs(20);

pub struct RedisServer {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl RedisServer {
    /// One that was started, or none, which is said: this machine has no server.
    pub fn start() -> Option<RedisServer> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Some(program) = program() else {
            not_tested("there is no redis-server and no valkey-server");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("mod_python-redis-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder of ours");
        // httpd's user connects to the socket in it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a folder of ours");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|found| found.local_addr()).expect("a free port").port();
        let process = run(&program, &folder, port);
        Some(RedisServer { program, folder, port, process })
    }

    pub fn location(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn unix_location(&self) -> String {
        format!("unix://{}", self.folder.join("s").display())
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill().expect("a process of ours");
        self.process.wait().expect("a process of ours");
    }

    /// Starts it again after `kill`, with nothing in it.
    pub fn start_again(&mut self) {
        self.process = run(&self.program, &self.folder, self.port);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn program() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("MOD_PYTHON_TEST_REDIS") {
        return Some(chosen.into());
    }
    let path = env::var_os("PATH")?;
    PROGRAMS.iter().find_map(|name| env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn run(program: &Path, folder: &Path, port: u16) -> Child {
    let name = program.file_name().unwrap_or_default().to_string_lossy().replace("check-rdb", "server");
    let mut process = Command::new(program)
        .arg0(name)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--unixsocketperm", "777", "--save", ""])
        .arg("--unixsocket")
        .arg(folder.join("s"))
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's program");
    let end = Instant::now() + BOUND;
    while !answers(port) {
        let ended = process.try_wait().expect("a process of ours");
        assert!(ended.is_none() && Instant::now() < end, "{} does not start: {ended:?}", program.display());
        thread::sleep(Duration::from_millis(5));
    }
    process
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0];
    stream.set_read_timeout(Some(BOUND)).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && matches!(&answer, b"+" | b"-")
}
