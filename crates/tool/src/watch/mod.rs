//! `wigwag watch`: a running server at a glance, as a screen or as lines for a program.

mod board;
mod metrics;
mod screen;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::runtime::Runtime;
use wigwag_conform::live::{Base, Dial};

use self::board::{Board, Page, ROWS, Sample};
use self::screen::View;
use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::web;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a key may wait for its effect.
const BLINK: Duration = Duration::from_millis(50);

/// Shows the server until it is told to stop.
pub(crate) fn run(out: &mut Out, args: &WatchArgs) -> Result<Exit, Failure> {
    let base = web::read(&args.url).ok_or_else(|| {
        Exit::Usage.because(anyhow!("{:?} is not a URL such as \"https://wigwag.example.org\"", args.url))
    })?;
    let token = match &args.admin_token_file {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
            Some(text.map_err(|why| Exit::Io.because(why))?.trim().to_owned())
        }
    };
    if !args.json && !io::stdout().is_terminal() {
        return Err(Exit::Usage.because(anyhow!("this is no terminal: --json prints lines for a program")));
    }
    let source = Source::new(base, token).map_err(|why| Exit::Failed.because(why))?;
    // Whoever asks for a server that is not there should hear it as an error, not see it on a screen.
    let first = source.sample().map_err(|why| Exit::Failed.because(why))?;
    let mut board = Board::default();
    board.take(first, Duration::ZERO);
    let url = source.base.at("").to_string();
    let (news, samples) = sync_channel(1);
    let every = args.interval;
    thread::spawn(move || {
        loop {
            thread::sleep(every);
            // Nobody listens any more: nobody watches any more.
            if news.send((Instant::now(), source.sample())).is_err() {
                return;
            }
        }
    });
    if args.json { print(out, &mut board, &samples, args.count) } else { show(&mut board, &samples, &url) }
}

type News = (Instant, anyhow::Result<Sample>);

/// A line for each sample.
fn print(out: &mut Out, board: &mut Board, samples: &Receiver<News>, count: Option<u64>) -> Result<Exit, Failure> {
    let mut last = Instant::now();
    let mut printed = 0;
    while let Ok((at, sample)) = samples.recv() {
        board.take(sample.map_err(|why| Exit::Failed.because(why))?, at - last);
        last = at;
        let line = serde_json::to_string(&board.line()).map_err(|why| Exit::Failed.because(why))?;
        out.line(&line)?;
        printed += 1;
        if count == Some(printed) {
            break;
        }
    }
    Ok(Exit::Done)
}

fn show(board: &mut Board, samples: &Receiver<News>, url: &str) -> Result<Exit, Failure> {
    // From here to `restore` the terminal is ours; a panic gives it back, too.
    let mut terminal = ratatui::try_init().map_err(|why| Exit::Io.because(why))?;
    let mut view = View::default();
    let mut still = false;
    let mut last = Instant::now();
    let mut is_shown = false;
    let ended = loop {
        if !is_shown && let Err(why) = terminal.draw(|frame| screen::draw(frame, board, url, view)) {
            break Err(why);
        }
        is_shown = true;
        match samples.recv_timeout(BLINK) {
            Ok(_) if still => {}
            Ok((at, Ok(sample))) => {
                board.take(sample, at - last);
                (last, is_shown) = (at, false);
            }
            Ok((_, Err(why))) => (board.trouble, is_shown) = (Some(format!("{why:#}")), false),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
        }
        match touched() {
            Ok(Some(Touch::Key(KeyCode::Char('q') | KeyCode::Esc))) => break Ok(()),
            Ok(Some(Touch::Key(KeyCode::Tab))) => (view, is_shown) = (view.next(), false),
            Ok(Some(Touch::Key(KeyCode::Char(' ')))) => still = !still,
            Ok(Some(Touch::Size)) => is_shown = false,
            Ok(_) => {}
            Err(why) => break Err(why),
        }
    };
    ratatui::restore();
    ended.map(|()| Exit::Done).map_err(|why| Exit::Io.because(why))
}

/// What a person does at the terminal.
enum Touch {
    Key(KeyCode),
    /// The window is another size.
    Size,
}

/// What was done meanwhile. Ctrl-C means what it always means.
fn touched() -> io::Result<Option<Touch>> {
    if !event::poll(Duration::ZERO)? {
        return Ok(None);
    }
    let key = match event::read()? {
        Event::Key(key) => key,
        Event::Resize(..) => return Ok(Some(Touch::Size)),
        _ => return Ok(None),
    };
    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let code = if interrupt { KeyCode::Esc } else { key.code };
    Ok((key.kind == KeyEventKind::Press).then_some(Touch::Key(code)))
}

/// Where samples come from.
struct Source {
    runtime: Runtime,
    base: Base,
    dial: Dial,
    token: Option<String>,
}

impl Source {
    fn new(base: Base, token: Option<String>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let dial = web::dial(&base)?;
        Ok(Self { runtime, base, dial, token })
    }

    fn sample(&self) -> anyhow::Result<Sample> {
        self.runtime.block_on(async {
            let stats = self.get("/stats", None).await?;
            let metrics = self.get("/metrics", None).await?;
            let stats = serde_json::from_str(&stats).context("/stats is no JSON: is this a Wigwag server?")?;
            let (sessions, rooms) = match &self.token {
                None => (None, None),
                Some(token) => (Some(self.rows("sessions", token).await?), Some(self.rows("rooms", token).await?)),
            };
            Ok(Sample { stats, metrics: metrics::read(&metrics), sessions, rooms })
        })
    }

    async fn rows(&self, what: &str, token: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let page = self.get(&format!("/api/v1/{what}?limit={ROWS}"), Some(token)).await?;
        Ok(serde_json::from_str::<Page>(&page)?.rows)
    }

    async fn get(&self, path: &str, token: Option<&str>) -> anyhow::Result<String> {
        web::get(&self.dial, &self.base, path, token, PATIENCE).await
    }
}
