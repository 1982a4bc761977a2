//! Several sessions, each of which does one batch at a time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{Client, Config, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::PostgresConfig;
use super::failure::failure;
use super::schema;
use super::statements::{Rows, Statements, read};
use crate::remote::{Answer, Connection, Failure, Request};

/// How often rows of what was removed more than an hour ago are taken away.
const SWEEP: Duration = Duration::from_secs(600);
const SWEEPS: &str = "DELETE FROM state WHERE etag IS NULL AND changed < now() - interval '1 hour'; \
    DELETE FROM reminder WHERE etag IS NULL AND changed < now() - interval '1 hour'";

/// Sessions that break together: when one has, all are opened anew.
pub(super) struct PostgresConnection {
    sessions: Vec<Session>,
    free: Mutex<Vec<usize>>,
    next_sweep: Mutex<Instant>,
    place: String,
    notes: Vec<String>,
}

struct Session {
    client: Client,
    statements: Statements,
    task: JoinHandle<()>,
}

impl PostgresConnection {
    pub(super) async fn open(config: &PostgresConfig, patience: Duration) -> Result<Self, Failure> {
        let place = config.place();
        let mut server = config.server.clone();
        server.connect_timeout(patience);
        let first = Session::open(&server, config).await?;
        let others = (1..config.connections).map(|_| Session::open(&server, config));
        let mut sessions = vec![first];
        sessions.extend(try_join_all(others).await?);
        let notes = notes(&sessions[0].client).await;
        Ok(PostgresConnection {
            free: Mutex::new((0..sessions.len()).collect()),
            sessions,
            next_sweep: Mutex::new(Instant::now()),
            place: place.to_owned(),
            notes: notes.map_err(|error| failure(&error, place))?,
        })
    }

    async fn sweep(&self, session: &Session) {
        if !self.is_time_to_sweep() {
            return;
        }
        if let Err(error) = session.client.batch_execute(SWEEPS).await {
            tracing::warn!(place = self.place, %error, "what was removed is not swept up");
        }
    }

    fn is_time_to_sweep(&self) -> bool {
        let now = Instant::now();
        let mut next = self
            .next_sweep
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_time = *next <= now;
        if is_time {
            *next = now + SWEEP;
        }
        is_time
    }

    /// One transaction; where one of several requests fails, each for itself.
    async fn batch(
        &self,
        session: &Session,
        requests: &[Arc<Request>],
    ) -> Vec<Result<Answer, Failure>> {
        let failed = |error: Error| failure(&error, &self.place);
        if let [request] = requests {
            let rows = session.statements.ask(&session.client, request).await;
            let rows = rows.map_err(failed);
            return vec![rows.and_then(|rows| read(&request.op, rows, &self.place))];
        }
        // In an order that all have, so that no two wait for each other.
        let mut order: Vec<usize> = (0..requests.len()).collect();
        order.sort_by_key(|&at| {
            let key = requests[at].op.key();
            key.map(|key| (key.slot(), key.fingerprint()))
        });
        match session.transaction(&order, requests).await {
            Ok(rows) => {
                let mut answers: Vec<_> = order.iter().copied().zip(rows).collect();
                answers.sort_by_key(|(at, _)| *at);
                let answers = answers.into_iter();
                answers
                    .map(|(at, rows)| read(&requests[at].op, rows, &self.place))
                    .collect()
            }
            Err(error) => match failed(error) {
                Failure::Broken(why) => requests
                    .iter()
                    .map(|_| Err(Failure::Broken(why.clone())))
                    .collect(),
                _ => {
                    let mut answers = Vec::with_capacity(requests.len());
                    for request in requests {
                        let rows = session.statements.ask(&session.client, request).await;
                        let rows = rows.map_err(failed);
                        answers.push(rows.and_then(|rows| read(&request.op, rows, &self.place)));
                    }
                    answers
                }
            },
        }
    }
}

impl Connection for PostgresConnection {
    async fn run(&self, requests: &[Arc<Request>]) -> Vec<Result<Answer, Failure>> {
        let Some(free) = Free::take(self) else {
            let why = "all sessions are busy".to_owned();
            return requests
                .iter()
                .map(|_| Err(Failure::Again(why.clone())))
                .collect();
        };
        let session = &self.sessions[free.number];
        self.sweep(session).await;
        self.batch(session, requests).await
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// A session that nobody else uses.
struct Free<'a> {
    of: &'a PostgresConnection,
    number: usize,
}

impl<'a> Free<'a> {
    fn take(of: &'a PostgresConnection) -> Option<Self> {
        let number = of
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()?;
        Some(Free { of, number })
    }
}

impl Drop for Free<'_> {
    fn drop(&mut self) {
        let mut free = self.of.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(self.number);
    }
}

impl Session {
    async fn open(server: &Config, config: &PostgresConfig) -> Result<Self, Failure> {
        let opened = match &config.tls {
            Some(tls) => connect(server, MakeRustlsConnect::new(tls.clone())).await,
            None => connect(server, NoTls).await,
        };
        let failed = |error: Error| failure(&error, config.place());
        let (client, task) = opened.map_err(failed)?;
        schema::prepare(&client, &config.schema, config.place()).await?;
        let statements = Statements::prepare(&client).await.map_err(failed)?;
        Ok(Session {
            client,
            statements,
            task,
        })
    }

    /// Sends all at once, and gives what came if all of it was committed.
    async fn transaction(
        &self,
        order: &[usize],
        requests: &[Arc<Request>],
    ) -> Result<Vec<Rows>, Error> {
        let mut begin = Box::pin(self.client.batch_execute("BEGIN"));
        let asked = order.iter().map(|&at| {
            let asked = self.statements.ask(&self.client, &requests[at]);
            Box::pin(asked) as Pin<Box<dyn Future<Output = Result<Rows, Error>> + Send + '_>>
        });
        let mut asked: Vec<_> = asked.collect();
        let mut commit = Box::pin(self.client.batch_execute("COMMIT"));
        // What is polled first is sent first.
        let mut begun = send(&mut begin).await;
        let mut early = Vec::with_capacity(asked.len());
        for asked in &mut asked {
            early.push(send(asked).await);
        }
        let committed = send(&mut commit).await;
        if begun.is_none() {
            begun = Some(begin.await);
        }
        begun.unwrap_or(Ok(()))?;
        let rows = asked
            .into_iter()
            .zip(early)
            .map(|(asked, early)| async move {
                match early {
                    Some(rows) => rows,
                    None => asked.await,
                }
            });
        let rows: Result<Vec<Rows>, Error> = join_all(rows).await.into_iter().collect();
        // A transaction that failed is not committed, though the server says nothing against it.
        let committed = match committed {
            Some(committed) => committed,
            None => commit.await,
        };
        let rows = rows?;
        committed.map(|()| rows)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Polls once.
async fn send<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn connect<T>(server: &Config, tls: T) -> Result<(Client, JoinHandle<()>), Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = server.connect(tls).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a session has ended");
        }
    });
    Ok((client, task))
}

/// What the server does for what it has acknowledged.
async fn notes(client: &Client) -> Result<Vec<String>, Error> {
    let row = client
        .query_one("SELECT current_setting('fsync')", &[])
        .await?;
    let fsync: &str = row.try_get(0)?;
    let note = "fsync is off: a crash of the server's machine loses or damages what it was told";
    let is_off = fsync == "off";
    Ok(is_off.then(|| note.to_owned()).into_iter().collect())
}
