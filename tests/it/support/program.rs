//! The real binary as a child process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How long a program may take to start, end or answer on the command line. Generous, because a
/// loaded machine is no failure; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Environment and folder in which a program runs. Nothing else of the caller's environment reaches it.
#[derive(Clone)]
pub struct Settings {
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

impl Settings {
    pub fn new(folder: &Path) -> Self {
        let mut environment = BTreeMap::new();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Ok(value) = std::env::var(name) {
                environment.insert(name.to_owned(), value);
            }
        }
        environment.insert("RUST_BACKTRACE".to_owned(), "1".to_owned());
        Self { environment, folder: folder.to_owned() }
    }

    /// What `serve` asks for, with providers that nobody listens for.
    pub fn complete(folder: &Path) -> Self {
        let workflows = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/");
        let settings = Self::new(folder).variable("GREENLANE_WORKFLOWS", workflows);
        ["REGISTRY", "FACE", "SMS", "PUSH"].into_iter().fold(settings, |settings, provider| {
            settings.variable(&format!("GREENLANE_{provider}_URL"), "http://127.0.0.1:1")
        })
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sets a key of the configuration file, such as `workflow.retry_scale`, by its environment variable.
    pub fn setting(self, key: &str, value: impl ToString) -> Self {
        self.variable(&format!("GREENLANE__{}", key.to_uppercase().replace('.', "__")), value)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlane"));
        command.args(arguments).env_clear().envs(&self.environment).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "").await
    }

    /// Runs a command to its end with a text on its standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let input = input.to_owned();
        let call = format!("greenlane {}", arguments.join(" "));
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // A program that does not read its input may be gone by now.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            let (stdout, stderr) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
            let status = wait(&mut child);
            let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
            let Some(status) = status else {
                let _ = child.kill();
                panic!("`{call}` did not end within {PATIENCE:?}\nstdout: {stdout}\nstderr: {stderr}");
            };
            Finished { call, code: status.code(), stdout, stderr }
        })
        .await
        .unwrap()
    }

    /// Starts a program that keeps running.
    pub fn spawn(&self, arguments: &[&str]) -> Program {
        Program::spawn(self, arguments)
    }
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    pub call: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Fails the test unless the command ended with the code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code of `{}`\nstdout: {}\nstderr: {}",
            self.call,
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("`{}` printed no JSON ({error}): {}\n{}", self.call, self.stdout, self.stderr)
        })
    }
}

/// A running program. It is killed when the value goes, and what it printed is shown when the test failed.
pub struct Program {
    call: String,
    child: Child,
    output: Arc<Mutex<String>>,
    address: watch::Receiver<Option<String>>,
}

impl Program {
    pub fn spawn(settings: &Settings, arguments: &[&str]) -> Self {
        let mut child = settings.command(arguments).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let (found, address) = watch::channel(None);
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        follow(stdout, output.clone(), |_| {});
        follow(stderr, output.clone(), move |line| {
            if let Some(address) = listening_address(line) {
                found.send_replace(Some(address));
            }
        });
        Self { call: format!("greenlane {}", arguments.join(" ")), child, output, address }
    }

    /// The base URL, such as `http://127.0.0.1:34567`, once the program has said that it listens there.
    pub async fn listening(&mut self) -> String {
        let mut address = self.address.clone();
        let found = tokio::time::timeout(PATIENCE, address.wait_for(Option::is_some)).await;
        match found {
            Ok(Ok(address)) => address.clone().unwrap(),
            Ok(Err(_)) => {
                panic!("`{}` ended before it listened: {:?}\n{}", self.call, self.child.wait(), self.output())
            }
            Err(_) => panic!("`{}` did not say that it listens within {PATIENCE:?}\n{}", self.call, self.output()),
        }
    }

    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit status.
    pub async fn terminate(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "`{}` is gone already\n{}", self.call, self.output());
        self.ended().await
    }

    /// Waits until the program ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "`{}` did not end within {PATIENCE:?}\n{}", self.call, self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- `{}` printed:\n{}----", self.call, tail(&self.output()));
        }
    }
}

/// The agreed line is `listening on http://ADDRESS`, anywhere in a line of the standard error.
fn listening_address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let address: String =
        rest.chars().take_while(|c| !c.is_whitespace() && !matches!(c, '"' | '`' | ',' | '\u{1b}')).collect();
    address.starts_with("http").then(|| address.trim_end_matches('/').to_owned())
}

fn follow(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>, see: impl Fn(&str) + Send + 'static) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            see(&line);
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The last lines, so that one failure does not bury the others.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(200);
    lines[from..].iter().map(|line| format!("{line}\n")).collect()
}
