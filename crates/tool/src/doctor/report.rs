//! What was found, as people and programs read it.

use std::time::Duration;

use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::out::{Out, Paint, Progress};

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody will miss something.
    Poor,
    /// It does not work.
    Bad,
    /// Not looked at.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What it is.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What was seen.
    pub(super) seen: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// How long it took, where that says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ms: Option<f64>,
}

impl Finding {
    pub(super) fn new(check: &'static str, verdict: Verdict, seen: impl Into<String>) -> Self {
        Self { check, verdict, seen: seen.into(), remedy: None, ms: None }
    }

    pub(super) fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Verdict::Good, seen)
    }

    pub(super) fn bad(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Verdict::Bad, seen)
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    pub(super) fn took(self, time: Duration) -> Self {
        Self { ms: Some((time.as_secs_f64() * 1e4).round() / 10.0), ..self }
    }
}

/// Everything that was found, told as it comes.
pub(super) struct Report<'o> {
    out: &'o mut Out,
    url: String,
    json: bool,
    paint: Paint,
    progress: Progress,
    findings: Vec<Finding>,
}

impl<'o> Report<'o> {
    pub(super) fn new(out: &'o mut Out, url: String, json: bool) -> Result<Self, Failure> {
        let report =
            Self { out, url, json, paint: Paint::stdout(), progress: Progress::stderr(), findings: Vec::new() };
        if !report.json {
            let head = format!("{}\n", report.url);
            report.out.line(&head)?;
        }
        Ok(report)
    }

    /// Says what is looked at, until it is known.
    pub(super) fn looks_at(&self, what: &str) {
        self.progress.show(&format!("{what} …"));
    }

    pub(super) fn tell(&mut self, finding: Finding) -> Result<(), Failure> {
        self.progress.wipe();
        self.show(&finding)?;
        self.findings.push(finding);
        Ok(())
    }

    fn show(&mut self, finding: &Finding) -> Result<(), Failure> {
        if !self.json {
            let (colour, word) = match finding.verdict {
                Verdict::Good => ("32", "good"),
                Verdict::Poor => ("33", "poor"),
                Verdict::Bad => ("31;1", "bad"),
                Verdict::Skipped => ("2", "skipped"),
            };
            let time = finding.ms.map_or(String::new(), |ms| self.paint.text("2", &format!("  {ms} ms")));
            let head = format!("{:<11}", finding.check);
            let word = self.paint.text(colour, &format!("{word:<8}"));
            self.out.line(&format!("{head} {word} {}{time}", finding.seen))?;
            if let Some(remedy) = &finding.remedy {
                self.out.line(&format!("{:<20} {} {remedy}", "", self.paint.text("1", "→")))?;
            }
        }
        Ok(())
    }

    /// Says that these could not be looked at.
    pub(super) fn skip(&mut self, checks: &[&'static str], why: &str) -> Result<(), Failure> {
        self.progress.wipe();
        // To a person one line says it all.
        self.show(&Finding::new("the rest", Verdict::Skipped, why))?;
        self.findings.extend(checks.iter().map(|check| Finding::new(check, Verdict::Skipped, why)));
        Ok(())
    }

    /// The sum of it, as an exit code.
    pub(super) fn end(self) -> Result<Exit, Failure> {
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (bad, poor) = (count(Verdict::Bad), count(Verdict::Poor));
        if self.json {
            let verdict = match (bad, poor) {
                (0, 0) => Verdict::Good,
                (0, _) => Verdict::Poor,
                _ => Verdict::Bad,
            };
            self.out.json(&Whole { url: &self.url, verdict, findings: &self.findings })?;
        } else {
            let sum = match (bad, poor) {
                (0, 0) => "Everything is as it should be.".to_owned(),
                (0, _) => "It works. What is poor will be missed by somebody.".to_owned(),
                (1, _) => "One thing is wrong.".to_owned(),
                _ => format!("{bad} things are wrong."),
            };
            self.out.line(&format!("\n{}", self.paint.text("1", &sum)))?;
        }
        Ok(if bad == 0 { Exit::Done } else { Exit::Failed })
    }
}

#[derive(Serialize)]
struct Whole<'r> {
    url: &'r str,
    verdict: Verdict,
    findings: &'r [Finding],
}
