use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;

/// A real Redis on a port and folder of its own.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("greenlane-redis-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { child: Self::spawn(port, &folder), port, folder }
    }

    fn spawn(port: u16, folder: &Path) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs `redis-server` on the path: install it, e.g. with `apt-get install redis-server`")
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = Self::spawn(self.port, &self.folder);
    }

    /// With more time for a command than usual: a busy machine is not what is tested.
    fn hints(&self) -> Redis {
        Redis::with_time_limit(&format!("redis://127.0.0.1:{}/", self.port), Duration::from_secs(10)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn until_up(hints: &Redis) {
    let up = async {
        while !hints.ping().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), up).await.expect("redis answers within 20 s");
}

async fn next(wakes: &mut Wakes) -> Wake {
    timeout(Duration::from_secs(10), wakes.next()).await.expect("a wake-up within 10 s").unwrap()
}

/// Waits for the `All` of a fresh subscription, passing over topics.
async fn until_all(wakes: &mut Wakes) {
    while next(wakes).await != Wake::All {}
}

#[tokio::test]
async fn wakes_the_other_process_once_and_itself_once() {
    let server = Server::start();
    let (here, there) = (server.hints(), server.hints());
    let (mut near, mut far) = (here.subscribe(), there.subscribe());
    until_all(&mut near).await;
    until_all(&mut far).await;
    here.publish("generation");
    assert_eq!(next(&mut near).await, Wake::Topic("generation".into()));
    assert_eq!(next(&mut far).await, Wake::Topic("generation".into()));
    // The second topic comes next on both sides: the first was not told twice.
    there.publish("photo review");
    assert_eq!(next(&mut near).await, Wake::Topic("photo review".into()));
    assert_eq!(next(&mut far).await, Wake::Topic("photo review".into()));
}

#[tokio::test]
async fn one_bucket_over_all_processes() {
    let server = Server::start();
    let (here, there) = (server.hints(), server.hints());
    until_up(&here).await;
    until_up(&there).await;
    let limit = RateLimit::new(0.01, 3).unwrap();
    assert_eq!(here.take("x", limit, 2).await, Ok(()));
    assert_eq!(there.take("x", limit, 1).await, Ok(()));
    let wait = here.take("x", limit, 1).await.unwrap_err();
    assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(101), "{wait:?}");
    assert!(there.take("x", limit, 1).await.is_err());
    assert_eq!(there.take("y", limit, 3).await, Ok(()));
}

#[tokio::test]
async fn the_shared_wait_is_long_enough() {
    let server = Server::start();
    let hints = server.hints();
    until_up(&hints).await;
    let limit = RateLimit::new(20.0, 1).unwrap();
    assert_eq!(hints.take("x", limit, 1).await, Ok(()));
    if let Err(wait) = hints.take("x", limit, 1).await {
        tokio::time::sleep(wait).await;
        assert_eq!(hints.take("x", limit, 1).await, Ok(()));
    }
}

#[tokio::test]
async fn without_redis_each_process_limits_itself_and_wakes_itself() {
    let hints = Redis::new("redis://127.0.0.1:1/").unwrap();
    let mut wakes = hints.subscribe();
    let limit = RateLimit::new(0.01, 1).unwrap();
    assert_eq!(hints.take("x", limit, 1).await, Ok(()));
    assert!(hints.take("x", limit, 1).await.is_err());
    hints.publish("generation");
    assert_eq!(next(&mut wakes).await, Wake::Topic("generation".into()));
    assert!(!hints.ping().await);
}

#[tokio::test]
async fn a_redis_that_hangs_holds_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hints = Redis::new(&format!("redis://{}/", silent.local_addr().unwrap())).unwrap();
    let limit = RateLimit::new(0.01, 1000).unwrap();
    // Without the rest after a failure these would need more than four minutes.
    timeout(Duration::from_secs(60), async {
        for _ in 0..1000 {
            assert_eq!(hints.take("x", limit, 1).await, Ok(()));
        }
    })
    .await
    .expect("a silent redis must not hold callers up");
}

#[tokio::test]
async fn works_again_after_redis_was_killed_and_restarted() {
    let mut server = Server::start();
    let (here, there) = (server.hints(), server.hints());
    let mut far = there.subscribe();
    until_up(&here).await;
    until_all(&mut far).await;
    let limit = RateLimit::new(0.01, 2).unwrap();
    assert_eq!(here.take("x", limit, 2).await, Ok(()));

    server.kill();
    assert_eq!(here.take("x", limit, 2).await, Ok(()), "open: the local bucket is full");
    assert!(here.take("x", limit, 1).await.is_err(), "but it is a limit too");
    here.publish("lost");

    server.start_again();
    until_up(&here).await;
    until_up(&there).await;
    until_all(&mut far).await;
    assert_eq!(here.take("x", limit, 1).await, Ok(()), "the wiped bucket is shared again");
    assert_eq!(there.take("x", limit, 1).await, Ok(()));
    assert!(here.take("x", limit, 1).await.is_err());
    here.publish("generation");
    assert_eq!(next(&mut far).await, Wake::Topic("generation".into()));
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_repeating_it() {
    let error = Redis::new("http://user:secret@host").err().unwrap();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn what_is_remembered_is_remembered_by_all_until_its_time_is_over() {
    let mut server = Server::start();
    let (one, other) = (server.hints(), server.hints());
    until_up(&one).await;
    until_up(&other).await;
    assert!(!one.remembers("presentation:1").await);
    one.remember("presentation:1", Duration::from_secs(60)).await;
    one.remember("presentation:2", Duration::from_millis(50)).await;
    assert!(one.remembers("presentation:1").await && other.remembers("presentation:1").await);
    while other.remembers("presentation:2").await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Gone or wiped, it knows nothing, which is no answer.
    server.kill();
    assert!(!one.remembers("presentation:1").await);
    one.remember("presentation:3", Duration::from_secs(60)).await;
}
