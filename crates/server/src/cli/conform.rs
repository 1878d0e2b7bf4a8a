//! `wigwag conform`: which promises of a dialect a server keeps.

use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use serde::Serialize;
use wigwag_conform::live::{Base, Checked, Dial, Plan, Verdict, is_wigwag, reach};
use wigwag_conform::{DIALECTS, Dialect, Script, scripts};
use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::{Out, Paint, Progress};

use super::args::ConformArgs;
use super::reach::{Place, dial};

/// Asks, and prints each promise with its verdict as soon as it is known.
pub(super) fn run(out: &mut Out, args: &ConformArgs) -> Result<Exit, Failure> {
    let dialect = args.dialect.as_deref().and_then(Dialect::named);
    if args.list {
        return list(out, args, dialect);
    }
    // The options were read by clap, so both are there.
    let (Some(dialect), Some(url)) = (dialect, &args.url) else { return Ok(Exit::Usage) };
    let base = Base::parse(url)
        .ok_or_else(|| Exit::Usage.because(anyhow!("{url:?} is not a URL such as {:?}", dialect.example)))?;
    let scripts = chosen(dialect, args)?;
    let dial = dial_to(&base);
    let ours = is_wigwag(&base, &dial, args.timeout).map_err(|why| Exit::Failed.because(anyhow!("{base}: {why}")))?;
    let base = match (base.path.as_str(), ours) {
        ("/", true) => base.at(dialect.own_path),
        ("/", false) => base.at(dialect.path),
        _ => base,
    };
    let plan = Plan { base, patience: args.timeout, strict: args.strict || ours, slow: args.slow };
    let mut report = Report::new(dialect, &plan, args.json, scripts.len());
    report.opens(out)?;
    // What takes long is waited for all at once, beside the rest.
    let (slow, fast): (Vec<&Script>, Vec<&Script>) =
        scripts.iter().partition(|script| script.transcript.slow && plan.passes_over(script).is_none());
    thread::scope(|scope| {
        let waits: Vec<_> =
            slow.iter().map(|script| (*script, scope.spawn(|| plan.check(script, &dial, &mut random)))).collect();
        let mut gone = None;
        for script in fast {
            report.asks(script);
            let checked = match &gone {
                Some(why) => Checked { verdict: Verdict::NotChecked(String::clone(why)), took: Duration::ZERO },
                None => plan.check(script, &dial, &mut random),
            };
            // Some servers do not survive every question.
            let broken = matches!(checked.verdict, Verdict::Broken(_));
            if broken && reach(&plan.base, &dial, args.timeout).is_err() {
                gone = Some(format!("the server is gone since {}", script.name));
            }
            report.tells(out, script, checked)?;
        }
        for (script, wait) in waits {
            report.asks(script);
            let checked =
                wait.join().map_err(|_| Exit::Failed.because(anyhow!("{}: the player failed", script.name)))?;
            report.tells(out, script, checked)?;
        }
        report.ends(out)
    })
}

fn list(out: &mut Out, args: &ConformArgs, only: Option<&Dialect>) -> Result<Exit, Failure> {
    let dialects: Vec<&Dialect> =
        DIALECTS.iter().filter(|dialect| only.is_none_or(|o| o.name == dialect.name)).collect();
    let mut promises = Vec::new();
    for dialect in dialects {
        let chosen = chosen(dialect, args)?;
        if !args.json {
            out.line(&format!("{}: {}, as in {}", dialect.name, dialect.about, dialect.example))?;
        }
        for script in &chosen {
            if args.json {
                promises.push(Promise::of(dialect, script));
            } else {
                let marks = marks(script);
                out.line(&format!("  {:<28} {}{marks}", script.name, script.transcript.about))?;
            }
        }
    }
    if args.json { out.json(&promises) } else { Ok(Exit::Done) }
}

fn marks(script: &Script) -> String {
    let marks = [(script.transcript.ours, "only ours"), (script.transcript.slow, "slow")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
    if marks.is_empty() { String::new() } else { format!(" [{}]", marks.join(", ")) }
}

fn chosen(dialect: &Dialect, args: &ConformArgs) -> Result<Vec<Script>, Failure> {
    let mut scripts = scripts(dialect.name);
    if !args.only.is_empty() {
        scripts.retain(|script| args.only.iter().any(|name| script.name.starts_with(name.as_str())));
        if scripts.is_empty() && !args.list {
            return Err(Exit::Usage.because(anyhow!("no promise of {} has such a name; see --list", dialect.name)));
        }
    }
    Ok(scripts)
}

fn dial_to(base: &Base) -> Dial {
    dial(Place::Name(base.host.clone(), base.port), base.tls.then(|| base.host.clone()))
}

fn random() -> u64 {
    // Fresh values have to be different, not secret; without a source they would still be as good as their order.
    getrandom::u64().unwrap_or_default()
}

/// A promise as a program reads it.
#[derive(Serialize)]
struct Promise {
    dialect: &'static str,
    name: &'static str,
    about: String,
    /// Whether only Wigwag promises it.
    ours: bool,
    slow: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
}

/// How it fared, as a program reads it.
#[derive(Serialize)]
struct Told {
    /// `kept`, `broken` or `not checked`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<String>,
    ms: u64,
}

impl Promise {
    fn of(dialect: &Dialect, script: &Script) -> Self {
        let transcript = &script.transcript;
        Self {
            dialect: dialect.name,
            name: script.name,
            about: transcript.about.clone(),
            ours: transcript.ours,
            slow: transcript.slow,
            told: None,
        }
    }
}

impl From<Checked> for Told {
    fn from(checked: Checked) -> Self {
        let (verdict, why, misstep) = match checked.verdict {
            Verdict::Kept => ("kept", None, None),
            Verdict::NotChecked(why) => ("not checked", Some(why), None),
            Verdict::Broken(misstep) => ("broken", None, Some(misstep)),
        };
        let step = misstep.as_ref().and_then(|misstep| misstep.step);
        let (expected, came) = misstep.map(|misstep| (misstep.expected, misstep.came)).unzip();
        let ms = u64::try_from(checked.took.as_millis()).unwrap_or(u64::MAX);
        Self { verdict, why, step, expected, came, ms }
    }
}

/// What is told while the run goes on and at its end.
struct Report<'p> {
    dialect: &'p Dialect,
    plan: &'p Plan,
    json: bool,
    paint: Paint,
    progress: Progress,
    /// How many promises there are.
    all: usize,
    done: Vec<Promise>,
}

impl<'p> Report<'p> {
    fn new(dialect: &'p Dialect, plan: &'p Plan, json: bool, all: usize) -> Self {
        Self { dialect, plan, json, paint: Paint::stdout(), progress: Progress::stderr(), all, done: Vec::new() }
    }

    fn opens(&self, out: &mut Out) -> Result<Exit, Failure> {
        if self.json {
            return Ok(Exit::Done);
        }
        out.line(&format!("{} as {} promises it\n", self.plan.base, self.dialect.about))
    }

    fn asks(&self, script: &Script) {
        self.progress.show(&format!("{}/{} {}", self.done.len() + 1, self.all, script.name));
    }

    fn tells(&mut self, out: &mut Out, script: &Script, checked: Checked) -> Result<(), Failure> {
        self.progress.wipe();
        let told = Told::from(checked);
        if !self.json {
            let colour = match told.verdict {
                "kept" => "32",
                "broken" => "31;1",
                _ => "33",
            };
            let verdict = self.paint.text(colour, &format!("{:<11}", told.verdict));
            out.line(&format!("{verdict}  {}", script.transcript.about))?;
            let mut more = Vec::new();
            more.extend(told.why.clone());
            more.extend(told.expected.as_ref().map(|expected| match told.step {
                Some(step) => format!("step {step}: {expected}"),
                None => format!("expected {expected}"),
            }));
            more.extend(told.came.clone());
            if told.verdict == "broken" {
                more.push(format!("see spec/vectors/transcripts/{}/{}.json", self.dialect.name, script.name));
            }
            for line in more {
                out.line(&format!("             {}", self.paint.text("2", &line)))?;
            }
        }
        self.done.push(Promise { told: Some(told), ..Promise::of(self.dialect, script) });
        Ok(())
    }

    fn ends(&self, out: &mut Out) -> Result<Exit, Failure> {
        let count = |verdict: &str| {
            let told = self.done.iter().filter_map(|promise| promise.told.as_ref());
            told.filter(|told| told.verdict == verdict).count()
        };
        let (kept, broken, not_checked) = (count("kept"), count("broken"), count("not checked"));
        if self.json {
            out.json(&Summary {
                url: self.plan.base.to_string(),
                dialect: self.dialect.name,
                promises: &self.done,
                kept,
                broken,
                not_checked,
            })?;
        } else {
            let summary = format!("{kept} kept, {broken} broken, {not_checked} not checked");
            out.line(&format!("\n{}", self.paint.text("1", &summary)))?;
        }
        Ok(if broken == 0 && kept > 0 { Exit::Done } else { Exit::Failed })
    }
}

#[derive(Serialize)]
struct Summary<'r> {
    url: String,
    dialect: &'static str,
    promises: &'r [Promise],
    kept: usize,
    broken: usize,
    not_checked: usize,
}
