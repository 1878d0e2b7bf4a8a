//! `wigwag doctor`: what is wrong between this machine and a server, one thing after the other.

mod ice;
mod reach;
mod report;
mod session;
mod turn;

use std::time::Duration;

use anyhow::anyhow;
use wigwag_conform::live::Base;

use self::report::Report;
use self::session::Session;
use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::web;

/// Examines, and tells of each thing as soon as it is known.
pub(crate) fn run(out: &mut Out, args: &DoctorArgs) -> Result<Exit, Failure> {
    let base = web::read(&args.url).ok_or_else(|| {
        Exit::Usage.because(anyhow!("{:?} is not a URL such as \"wss://wigwag.example.org\"", args.url))
    })?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| Exit::Failed.because(why))?;
    runtime.block_on(async {
        let mut report = Report::new(out, base.to_string(), args.json)?;
        examine(&mut report, &base, &args.namespace, args.timeout).await?;
        report.end()
    })
}

async fn examine(report: &mut Report<'_>, base: &Base, namespace: &str, patience: Duration) -> Result<(), Failure> {
    const REST: [&str; 9] = ["tls", "websocket", "clock", "name", "auth", "round trip", "stun", "nat", "turn"];
    let addresses = reach::resolve(report, base, patience).await?;
    let Some(address) = reach::connect(report, &addresses, patience).await? else {
        return report.skip(&REST, "The server cannot be reached.");
    };
    if !reach::tls(report, base, address, patience).await? {
        return report.skip(&REST[1..], "There is no connection.");
    }
    let Some(mut session) = Session::begin(report, base, address, namespace, patience).await? else {
        return report.skip(&REST[5..], "The server does not let us in.");
    };
    session.round_trip(report).await?;
    ice::examine(report, &session.welcome, patience).await?;
    session.end().await;
    Ok(())
}
