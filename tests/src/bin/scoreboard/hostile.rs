//! A hostile registry against `pull`, `copy`, `push` and the relay.

use crate::{
    Scale,
    answers::{self, Answer, Target},
    attempt::{LIMIT, Ran, Row, Verdict, all, contains, run},
    mean::{Deed, Mean, head, image},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_testkit::image::Built;
use porthole_tests::{
    Result, http, memory,
    program::ours,
    servers::{Relay, Scratch},
};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Instant,
};

const PASSWORD: &str = "canary-password";
/// Short time limits. The behaviour at longer ones is the same.
const SHORT: [&str; 6] = ["--stall", "2s", "--min-rate", "1kB/1s", "--commit-wait", "2s"];

pub(crate) fn rows(_: Scale) -> Result<Vec<Row>> {
    let answers = answers::all();
    let good = image(60_000);
    let reads: Vec<&Answer> = answers.iter().filter(|answer| answer.target != Target::Upload).collect();
    let writes: Vec<&Answer> = answers.iter().filter(|answer| answer.target == Target::Upload).collect();
    let row = |name, verdicts: Vec<Verdict>| {
        let mut row = Row::new(name);
        verdicts.iter().for_each(|verdict| row.add(verdict));
        row
    };
    Ok(vec![
        row("hostile registry: pull", all(&reads, |answer| command(answer, &good, "pull"))?),
        row("hostile registry: copy to a layout", all(&reads, |answer| command(answer, &good, "copy"))?),
        row("hostile registry: ls", all(&reads, |answer| command(answer, &good, "ls"))?),
        row("hostile registry: push", all(&writes, |answer| command(answer, &good, "push"))?),
        through_relay(&reads, &good)?,
    ])
}

/// Starts the registry, and a host that must not receive a secret.
fn servers(answer: &Answer, good: &Built) -> Result<(Mean, Mean)> {
    let elsewhere = Mean::start(good.clone(), |_, _, _| Some(Deed::Bytes(head(404, &[], 0))))?;
    let (place, image) = (elsewhere.authority.clone(), good.clone());
    let answer = answer.clone();
    let mean = Mean::start(good.clone(), move |method, path, authority| {
        answer.target.is(&image, method, path).then(|| answer.deed(&image, path, authority, &place))
    })?;
    Ok((mean, elsewhere))
}

fn command(answer: &Answer, good: &Built, verb: &str) -> Result<Verdict> {
    let (mean, elsewhere) = servers(answer, good)?;
    let home = Scratch::new("scoreboard")?;
    let path = home.path();
    let secret = STANDARD.encode(format!("keeper:{PASSWORD}"));
    fs::write(path.join("auth.json"), format!(r#"{{"auths":{{"{}":{{"auth":"{secret}"}}}}}}"#, mean.authority))?;
    let name = format!("{}/a/b:1", mean.authority);
    // An image that is in the store before must stay.
    let kept = image(1000);
    kept.clone().into_content("kept").write_layout(&path.join("kept"))?;
    let porthole = || -> Result<Command> {
        let mut porthole = Command::new(ours("porthole")?);
        porthole.current_dir(path).env_clear().env("HOME", path).args(["--store", "store", "--authfile", "auth.json"]);
        Ok(porthole)
    };
    let there = run(porthole()?.args(["copy", "oci:kept:kept", "store:kept"]), LIMIT)?;
    if there.code != Some(0) {
        return Err(format!("the first image cannot be stored: {}", there.said()).into());
    }
    let mut tried = porthole()?;
    tried.args(SHORT).args(["--debug", "--trace", "trace.har"]);
    match verb {
        "copy" => tried.args(["copy", &name, "oci:out:1"]),
        "push" => {
            good.clone().into_content("1").write_layout(&path.join("good"))?;
            tried.args(["push", "oci:good:1", &name])
        }
        verb => tried.args([verb, &name]),
    };
    let ran = run(&mut tried, LIMIT)?;
    let trace = fs::read(path.join("trace.har")).unwrap_or_default();
    let leaked = ran.leaks(&[PASSWORD, &secret])
        || contains(&trace, PASSWORD.as_bytes())
        || contains(&trace, secret.as_bytes())
        || elsewhere.heads().iter().any(|head| head.contains(&secret) || head.contains(PASSWORD));
    let lost = lost(&porthole, path, verb, &ran, &name)?;
    Ok(Verdict {
        survived: ran.ended_well(),
        lost,
        leaked,
        escaped: ran.escapes(),
        peak: ran.peak,
        note: format!("{}: {}", answer.name, ran.said()),
    })
}

/// Whether the store has a damaged blob, lost its first image, or has the name for something other than the image.
fn lost(porthole: &dyn Fn() -> Result<Command>, path: &Path, verb: &str, ran: &Ran, name: &str) -> Result<bool> {
    let check = run(porthole()?.args(["store", "check"]), LIMIT)?;
    let kept = run(porthole()?.args(["manifest", "store:kept"]), LIMIT)?;
    let images = run(porthole()?.args(["images", "--json"]), LIMIT)?;
    let mut lost = check.code != Some(0) || kept.code != Some(0);
    match verb {
        "pull" => {
            let verified = run(porthole()?.args(["verify", &format!("store:{name}")]), LIMIT)?;
            // After a success the image is complete, and after a failure no image has the name. By tag, it may be another image.
            lost |= (ran.code == Some(0)) != (verified.code == Some(0));
            lost |= ran.code != Some(0) && contains(&images.stdout, name.as_bytes());
        }
        "copy" if ran.code == Some(0) => {
            let index = fs::read(path.join("out/index.json")).unwrap_or_default();
            let verified = run(porthole()?.args(["verify", "oci:out:1"]), LIMIT)?;
            lost |= !contains(&index, b"sha256:") || verified.code != Some(0);
        }
        _ => {}
    }
    Ok(lost)
}

/// Checks that each request ends, the relay keeps running, and no host gets a secret of another.
fn through_relay(answers: &[&Answer], good: &Built) -> Result<Row> {
    let relay = Relay::with([
        "--allow-private",
        "127.0.0.1",
        "--upstream-first-byte",
        "2s",
        "--upstream-idle",
        "2s",
        "--upstream-rate-window",
        "1s",
        "--cache-size",
        "1MiB",
    ])?;
    let port: u16 = relay.host().rsplit_once(':').ok_or("a port")?.1.parse()?;
    let mut row = Row::new("hostile registry: through the relay");
    let verdicts = all(answers, |answer| {
        let (mean, elsewhere) = servers(answer, good)?;
        let what = match answer.target {
            Target::Manifest | Target::Upload => "manifests/1".to_owned(),
            Target::Config => format!("blobs/{}", good.config.digest),
            Target::Layer => format!("blobs/{}", good.layers[0].blob.digest),
        };
        let target = format!("/v2/a/b/{what}?ns={}", mean.authority);
        let started = Instant::now();
        // A client knows the size of a blob, and reads no further.
        let asked = thread::spawn(move || ask(port, &target, 1 << 20).ok());
        while !asked.is_finished() && started.elapsed() < LIMIT {
            thread::sleep(std::time::Duration::from_millis(5));
        }
        let ended = asked.is_finished();
        let alive = http::request(port, "GET", "/healthz", &[], &[]).is_ok_and(|answer| answer.second() == "200");
        let leaked = elsewhere.heads().iter().any(|head| head.contains("canary-token"));
        let note = format!("{}: ended {ended}, alive {alive}", answer.name);
        Ok(Verdict { survived: ended && alive, leaked, note, ..Verdict::default() })
    })?;
    verdicts.iter().for_each(|verdict| row.add(verdict));
    row.peak = memory::peak(relay.process())?;
    if contains(relay.said().as_bytes(), b"panicked") {
        row.survived = 0;
        let said = relay.said();
        row.notes.extend(said.lines().skip_while(|line| !line.contains("panicked")).take(4).map(str::to_owned));
    }
    Ok(row)
}

/// Sends a request, and reads at most `most` bytes of the response.
fn ask(port: u16, target: &str, most: u64) -> Result<u64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let head = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}Authorization: Bearer canary-token\r\n\r\n").as_bytes())?;
    Ok(std::io::copy(&mut stream.take(most), &mut std::io::sink())?)
}
