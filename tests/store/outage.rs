use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use greenlane::{
    domain::ids::{ApplicationId, LeaseId},
    store::{self, Options, Store, StoreError},
};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    make,
    site::{Site, wants},
};

const IMPATIENT: Options = Options {
    exclusive: false,
    connections: 2,
    acquire_timeout: Duration::from_millis(500),
    statement_timeout: Duration::from_secs(2),
};

pub async fn an_unreachable_database_is_unavailable_and_comes_back(site: Site) {
    if site.database.is_postgres() {
        a_cut_connection(&site).await;
    } else {
        a_file_that_another_process_locks(&site).await;
    }
}

async fn a_file_that_another_process_locks(site: &Site) {
    let store = store::open(site.database.url(), &IMPATIENT).await.unwrap();
    works(store.as_ref()).await;
    let settings: SqliteConnectOptions = site.database.url().parse().unwrap();
    let mut other = settings.connect().await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    is_unavailable(store.as_ref()).await;
    store.ping().await.unwrap();
    held.rollback().await.unwrap();
    works(store.as_ref()).await;
}

async fn a_cut_connection(site: &Site) {
    let server: PgConnectOptions = site.database.url().parse().unwrap();
    let proxy = Proxy::start(format!("{}:{}", server.get_host(), server.get_port())).await;
    let mut url = url::Url::parse(site.database.url()).unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    let store = store::open(url.as_str(), &IMPATIENT).await.unwrap();
    works(store.as_ref()).await;
    for _ in 0..2 {
        proxy.cut();
        is_unavailable(store.as_ref()).await;
        assert!(store.ping().await.is_err_and(|error| error.is_transient()));
        proxy.mend();
        // A first call may still meet a connection that died; a server that is there answers the next.
        let _ = store.ping().await;
        works(store.as_ref()).await;
    }
}

async fn works(store: &dyn Store) {
    let now = store.now().await.unwrap();
    let new = make::admission(now);
    store.admit(std::slice::from_ref(&new)).await.unwrap();
    let lease = LeaseId::new();
    assert_eq!(store.claim(lease, &wants(10)).await.unwrap().claimed.len(), 1);
}

async fn is_unavailable(store: &dyn Store) {
    let new = make::admission(make::at("2026-11-20T02:00:00Z"));
    let refusals = [
        store.admit(&[new]).await.map(drop),
        store.heartbeat(&make::process(make::at("2026-11-20T02:00:00Z")), Duration::from_secs(10)).await,
        store.commit(&[ApplicationId::new()], &mut crate::site::Plan(|_| Vec::new())).await,
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
}

/// A way to the server that can be cut.
struct Proxy {
    port: u16,
    open: Arc<AtomicBool>,
    cut: watch::Sender<u32>,
}

impl Proxy {
    async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicBool::new(true));
        let (cut, cuts) = watch::channel(0);
        let is_open = open.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !is_open.load(Ordering::SeqCst) {
                    continue; // dropped: the client sees a reset
                }
                let (server, mut cuts) = (server.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let mut upstream = TcpStream::connect(&server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, open, cut }
    }

    fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}
