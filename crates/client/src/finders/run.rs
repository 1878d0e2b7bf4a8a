//! A search as it runs: finders are asked, cut off and believed or not, as the race and the spec say.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::sleep_until;
use tracing::debug;
use wigwag_peer::Moment;
use wigwag_peer::calls::Connect;
use wigwag_peer::finding::{Race, RaceInput, RaceOutput, Runner, Wanted, furthest};
use wigwag_peer::trust::Pins;
use wigwag_wire::id::IdForm;
use wigwag_wire::{PeerId, PublicKey};

use super::own::{Answer, Finder, NotFound, Task, is_code};
use super::{FindError, Known, Progress, Search, Sighted, Sighting, Tried};
use crate::connection::Connection;
use crate::event::PeerState;

/// How long a sighting may take where nobody says otherwise.
const FIND: Duration = Duration::from_secs(10);

pub(super) async fn connect(search: Search) -> Result<Connection, FindError> {
    let target = search.target.clone();
    let ask = |finder: &dyn Finder, task: Task| finder.connect(task);
    let verify = |connection: Connection, known: &Known| {
        if !is_code(&target) && connection.peer().as_str() != target {
            let message = format!("this leads to {}, and not to {target}", connection.peer());
            return Err(NotFound::new("key_mismatch", message));
        }
        connection.found_by(known.finder.name());
        Ok(connection)
    };
    run(search, Duration::from_millis(Connect::PATIENCE_MS), ask, verify).await
}

pub(super) async fn find(search: Search) -> Result<Sighted, FindError> {
    let (target, client) = (search.target.clone(), search.client.clone());
    let mut best: Option<Sighted> = None;
    let ask = |finder: &dyn Finder, task: Task| finder.find(task);
    let verify = |sighting: Option<Sighting>, known: &Known| {
        let unknown = || NotFound::new("not_found", format!("nobody called {target} is known there"));
        let sighting = sighting.ok_or_else(unknown)?;
        if !known.is_server && !is_proved(&target, &client.namespace(), &sighting, &client.pins()) {
            let message = format!("what was said of {target} is not proved to come from it");
            return Err(NotFound::new("not_verified", message));
        }
        let state = sighting.state;
        let sighted = Sighted { finder: known.finder.name().to_owned(), sighting };
        if state == PeerState::Here {
            return Ok(sighted);
        }
        if best.as_ref().is_none_or(|best| rank(&sighted) > rank(best)) {
            best = Some(sighted);
        }
        let reason = if state == PeerState::Away { "away" } else { "absent" };
        Err(NotFound::new(reason, format!("{target} is not here")))
    };
    match run(search, FIND, ask, verify).await {
        Err(_) if best.is_some() => best.ok_or_else(|| FindError { reason: String::new(), tried: Vec::new() }),
        outcome => outcome,
    }
}

/// Asks those finders that can, until one has an answer that is believed.
async fn run<A, T>(
    search: Search,
    least: Duration,
    ask: impl Fn(&dyn Finder, Task) -> Option<Answer<A>>,
    mut verify: impl FnMut(A, &Known) -> Result<T, NotFound>,
) -> Result<T, FindError> {
    let search = if search.finders.is_empty() { search.by_server() } else { search };
    let Search { client, target, finders, order, deadline, mut tell } = search;
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut runners = Vec::new();
    for each in finders.into_iter().filter(|each| each.finder.takes(&target)) {
        if let Entry::Vacant(place) = known.entry(each.finder.name().to_owned()) {
            runners.push(Runner { name: place.key().clone(), ms: each.finder.time().map(millis) });
            place.insert(each);
        }
    }
    let patient = runners.iter().filter_map(|runner| runner.ms).max().unwrap_or(0);
    let span = deadline.map_or(millis(least).max(patient), millis);
    let began = Instant::now();
    let now = || Moment(millis(began.elapsed()));
    let mut race = Race::new(runners, order, span);
    let mut running: Vec<(String, Answer<A>)> = Vec::new();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut answer = None;
    let mut inputs = vec![RaceInput::Start];
    loop {
        let mut out = Vec::new();
        for input in inputs.drain(..) {
            race.handle(now(), input, &mut out);
        }
        for output in out {
            match output {
                RaceOutput::Begin { finder, ms } => {
                    let time = Duration::from_millis(ms);
                    let task = Task { target: target.clone(), namespace: client.namespace(), time };
                    match known.get(&finder).and_then(|known| ask(&*known.finder, task)) {
                        Some(asked) => {
                            tell(Progress::Asked { finder: finder.clone(), time });
                            running.push((finder, asked));
                        }
                        None => {
                            told.insert(finder.clone(), "it cannot do that".to_owned());
                            inputs.push(RaceInput::Lost { finder, reason: "unsupported".to_owned() });
                        }
                    }
                }
                RaceOutput::Cancel(finder) => {
                    running.retain(|(name, _)| *name != finder);
                    tell(Progress::Cancelled { finder });
                }
                RaceOutput::Won(finder) => {
                    debug!(finder, "found");
                    tell(Progress::Won { finder });
                    if let Some(answer) = answer.take() {
                        return Ok(answer);
                    }
                }
                RaceOutput::Lost(tried) => return Err(failure(tried, &told)),
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        let due = race.next_deadline().map(|due| began + Duration::from_millis(due.0));
        let alarm = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (finder, found) = ready(&mut running) => {
                let Some(known) = known.get(&finder) else { continue };
                inputs.push(match found.and_then(|found| verify(found, known)) {
                    Ok(verified) => {
                        answer = Some(verified);
                        RaceInput::Won(finder)
                    }
                    Err(NotFound { reason, message }) => {
                        told.insert(finder.clone(), message.clone());
                        tell(Progress::Lost(Tried { finder: finder.clone(), reason: reason.clone(), message }));
                        RaceInput::Lost { finder, reason }
                    }
                });
            }
            () = alarm => inputs.push(RaceInput::Tick),
        }
    }
}

/// The first of those asked that has an answer.
async fn ready<A>(running: &mut Vec<(String, Answer<A>)>) -> (String, Result<A, NotFound>) {
    std::future::poll_fn(|context| {
        for at in 0..running.len() {
            if let Poll::Ready(found) = running[at].1.as_mut().poll(context) {
                return Poll::Ready((running.swap_remove(at).0, found));
            }
        }
        Poll::Pending
    })
    .await
}

/// Why nobody found it.
fn failure(tried: Vec<(String, String)>, told: &BTreeMap<String, String>) -> FindError {
    let reason = furthest(&tried).unwrap_or("no_finder").to_owned();
    let tried = tried.into_iter().map(|(finder, reason)| {
        let message = told.get(&finder).cloned().unwrap_or_else(|| match reason.as_str() {
            "timeout" => "it said nothing in time".to_owned(),
            "not_asked" => "there was no time left to ask it".to_owned(),
            _ => reason.clone(),
        });
        Tried { finder, reason, message }
    });
    FindError { reason, tried: tried.collect() }
}

/// Whether the peer itself signed that, and the key belongs to the id.
fn is_proved(id: &str, namespace: &str, sighting: &Sighting, pins: &dyn Pins) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
    let wanted = Wanted { namespace, id, now };
    let key = sighting.record.as_ref().and_then(|record| record.is_good(&wanted));
    let id = PeerId::new(id).ok();
    key.zip(id).is_some_and(|(key, id)| holds(pins, namespace, &id, &key))
}

fn holds(pins: &dyn Pins, namespace: &str, id: &PeerId, key: &PublicKey) -> bool {
    match id.form() {
        IdForm::Key => key.id() == *id,
        IdForm::Name | IdForm::Foreign => pins.read(namespace, id) == Some(*key),
        IdForm::Guest => false,
    }
}

/// Of two that are not here, the more present one, and of equals the one seen last.
fn rank(sighted: &Sighted) -> (bool, Option<SystemTime>) {
    (sighted.sighting.state == PeerState::Away, sighted.sighting.seen)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
