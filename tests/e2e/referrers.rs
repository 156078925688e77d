//! Signatures and attestations checked in the page, as `porthole verify` and `porthole attestation` check them.

use crate::views::axe;
use porthole_testkit::{
    image::{Content, Image, Layer},
    signing::{Authority, Signatory, SignedLayer, attestation, payload, signature},
};
use porthole_tests::{
    Result,
    page::Page,
    program::ours,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, process::Command};

const IDENTITY: &str = "me@example.org";
const ISSUER: &str = "https://login.example.org";

fn add(content: &mut Content, tag: &str, layer: &SignedLayer) {
    let (manifest, blobs) = layer.manifest();
    for blob in blobs {
        content.add_blob(blob);
    }
    content.add_root(tag, manifest);
}

/// Blob and verdict of each signature and attestation on the page.
fn shown(page: &Page) -> Result<BTreeSet<(String, String)>> {
    page.until("signatures are checked", |page| page.browser().attribute("[data-evidence=done]", "data-evidence"))?;
    let rows = page.browser().run(
        "return [...document.querySelectorAll('[data-signature]')].map(row => [row.dataset.digest, row.dataset.signature])",
        json!([]),
    )?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(rows.as_array().into_iter().flatten().map(|row| (text(&row[0]), text(&row[1]))).collect())
}

#[test]
fn the_page_says_who_signed_as_the_command_line_does() -> Result<()> {
    let (key, authority) = (Signatory::new(), Authority::new());
    let image = Image::new().layer(Layer::new("COPY a /").file("a", "signed")).build();
    let digest = &image.manifest.digest;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"name": "app", "digest": {"sha256": digest.trim_start_matches("sha256:")}}],
        "predicate": {"runDetails": {"builder": {"id": "https://builder.example <b>not bold</b>"}}},
    });
    let mut content = image.clone().into_content("1");
    let tag = |suffix: &str| format!("{}.{suffix}", digest.replace(':', "-"));
    add(&mut content, &tag("sig"), &signature(payload(digest), &key, None));
    let who = authority.attest(IDENTITY, ISSUER);
    add(&mut content, &tag("att"), &attestation(&statement, &who, Some(&authority)));
    let scratch = Scratch::new("signed")?;
    let folder = |name: &str| scratch.path().join(name).display().to_string();
    content.write_layout(scratch.path().join("layout").as_path())?;
    fs::write(scratch.path().join("cosign.pub"), key.public_key())?;
    fs::write(scratch.path().join("root.json"), authority.trusted_root())?;

    let storage = Storage::new()?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let program = ours("porthole")?;
    for tag in ["1".to_owned(), tag("sig"), tag("att")] {
        let (from, to) = (format!("oci:{}:{tag}", folder("layout")), format!("{}/app:{tag}", registry.host()));
        let output = Command::new(&program).args(["push", &from, &to]).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let page = Page::open(&host.url())?;
    let reference = format!("{}/app:1", registry.host());
    page.look(&reference)?;
    page.verified()?;
    page.browser().click("#tab-referrers")?;
    axe(&page, "the form")?;
    page.browser().click("#start-evidence")?;
    let unasked = shown(&page)?;
    assert!(
        unasked.iter().any(|row| row.1 == "unchecked") && unasked.iter().any(|row| row.1 == "unknown"),
        "{unasked:?}"
    );

    page.browser().click(".signer summary")?;
    for (field, text) in [
        ("#signer-key", key.public_key()),
        ("#signer-identity", IDENTITY.to_owned()),
        ("#signer-issuer", ISSUER.to_owned()),
        ("#signer-root", authority.trusted_root()),
    ] {
        page.browser().write(field, &text)?;
    }
    page.browser().click("#start-evidence")?;
    page.until("the signer who was named", |page| page.browser().attribute("[data-signature=trusted]", "data-digest"))?;
    let found = shown(&page)?;
    axe(&page, "signatures")?;

    let signers = [
        "--json",
        "--key",
        &folder("cosign.pub"),
        "--certificate-identity",
        IDENTITY,
        "--certificate-oidc-issuer",
        ISSUER,
        "--trusted-root",
        &folder("root.json"),
        &reference,
    ]
    .map(str::to_owned);
    let mut expected = BTreeSet::new();
    for verb in [&["verify", "--no-layers"][..], &["attestation"]] {
        let output = Command::new(&program).args(verb).args(&signers).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            if row["step"].is_null() || row["step"] == "signature" {
                let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                expected.insert((text("digest"), text("state")));
            }
        }
    }
    assert_eq!(found.len(), 2);
    assert_eq!(found, expected);
    assert_eq!(page.browser().attribute(".file b", "class")?, None, "text of a statement is no HTML");

    let small = Page::on_screen(&page.link()?, 320, 568, "")?;
    small.until("the form", |page| page.browser().attribute("#start-evidence:not(:disabled)", "id"))?;
    axe(&small, "a small screen")?;
    Ok(())
}
