//! Signatures and attestations checked in the page, compared with `porthole verify` and `porthole attestation`.

use crate::views::axe;
use porthole_testkit::{
    image::{Blob, Content, Image, Layer},
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

/// Chooses a value in a `select` of the page, as a user does.
fn pick(page: &Page, id: &str, value: &str) -> Result<()> {
    let script = "const select = document.getElementById(arguments[0]); select.value = arguments[1]; \
                  select.dispatchEvent(new Event('change', {bubbles: true}));";
    page.browser().run(script, json!([id, value]))?;
    Ok(())
}

/// A registry that any origin may read, with these tags of a layout in its repository `app`.
fn pushed(scratch: &Scratch, content: &Content, tags: &[String]) -> Result<(Nginx, Storage, Registry)> {
    let storage = Storage::new()?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    content.write_layout(scratch.path().join("layout").as_path())?;
    for tag in tags {
        let from = format!("oci:{}:{tag}", scratch.path().join("layout").display());
        let output = Command::new(ours("porthole")?)
            .args(["push", &from, &format!("{}/app:{tag}", registry.host())])
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok((host, storage, registry))
}

#[test]
fn a_rule_is_kept_in_the_browser_and_checked_at_each_look() -> Result<()> {
    let key = Signatory::new();
    let image = |text: &str| Image::new().layer(Layer::new("COPY a /").file("a", text)).build();
    let (signed, unsigned) = (image("signed"), image("not signed"));
    let tag = format!("{}.sig", signed.manifest.digest.replace(':', "-"));
    let mut content = signed.clone().into_content("1");
    content.add_image(&unsigned);
    content.add_root("2", unsigned.manifest.clone());
    add(&mut content, &tag, &signature(payload(&signed.manifest.digest), &key, None));
    let scratch = Scratch::new("policy")?;
    let (host, _storage, registry) = pushed(&scratch, &content, &["1".to_owned(), "2".to_owned(), tag])?;
    fs::write(scratch.path().join("cosign.pub"), key.public_key())?;

    let page = Page::open(&host.url())?;
    let reference = |tag: &str| format!("{}/app:{tag}", registry.host());
    let link = |page: &Page, state: &str| {
        let selector = format!("#chain [data-step=signature][data-state={state}]");
        page.until(&format!("a signature that is {state}"), |page| page.browser().attribute(&selector, "data-state"))
    };
    page.look(&reference("1"))?;
    page.verified()?;
    page.browser().click("#tab-referrers")?;
    page.browser().click(".signer summary")?;
    page.browser().choose("#signer-key-file", &scratch.path().join("cosign.pub"))?;
    page.until("the key of the file", |page| {
        let text = page.browser().run("return document.getElementById('signer-key').value", json!([]))?;
        Ok(text.as_str().is_some_and(|text| text.contains("BEGIN PUBLIC KEY")).then_some(()))
    })?;
    page.browser().click("#start-evidence")?;
    link(&page, "trusted")?;
    assert!(
        page.browser()
            .attribute("#chain [data-step=signature]", "data-signer")?
            .is_some_and(|signer| signer.starts_with("ECDSA P-256 key sha256:"))
    );
    page.browser().click("#policy summary")?;
    pick(&page, "policy-images", &registry.host())?;
    page.browser().click("#policy-demand")?;
    let selector = format!("[data-rule='{}']", registry.host());
    page.until("the rule", |page| page.browser().attribute(&selector, "data-rule"))?;
    axe(&page, "a rule")?;

    page.browser().reload()?;
    page.started()?;
    link(&page, "trusted")?;
    page.look(&reference("2"))?;
    link(&page, "unsigned")?;
    let broken = page.until("the rule is broken", |page| page.browser().attribute("[data-broken]", "data-broken"))?;
    assert_eq!(broken, registry.host());
    axe(&page, "a rule that is broken")?;

    let policy = page.browser().run("return localStorage.getItem('porthole.policy')", json!([]))?;
    let file = scratch.path().join("policy.json");
    fs::write(&file, policy.as_str().ok_or("the rules are kept")?)?;
    for (tag, code) in [("1", 0), ("2", 1)] {
        let arguments =
            ["verify", "--no-layers", "--policy", &file.display().to_string(), &reference(tag)].map(str::to_owned);
        assert_eq!(Command::new(ours("porthole")?).args(arguments).output()?.status.code(), Some(code), "{tag}");
    }
    let small = Page::on_screen(&page.link()?, 320, 568, "")?;
    small.until("the chain", |page| page.browser().attribute("#chain", "data-state"))?;
    axe(&small, "a small screen")?;
    Ok(())
}

#[test]
fn a_bill_that_is_attached_is_compared_as_the_command_line_does() -> Result<()> {
    let status = |packages: &[(&str, &str)]| -> String {
        let paragraph = |(name, version): &(&str, &str)| {
            format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
        };
        packages.iter().map(paragraph).collect()
    };
    let image = Image::new()
        .layer(Layer::new("ADD base").file("var/lib/dpkg/status", status(&[("bash", "5.2"), ("gcc", "12")])))
        .layer(Layer::new("RUN apt").file("var/lib/dpkg/status", status(&[("bash", "5.2"), ("curl", "8.1")])))
        .build();
    let package =
        |purl: &str| json!({"name": "<i>n</i>", "externalRefs": [{"referenceType": "purl", "referenceLocator": purl}]});
    let bill = json!({"spdxVersion": "SPDX-2.3", "packages": [package("pkg:deb/debian/bash@5.1"), package("pkg:deb/debian/gcc@12")]});
    let bill = Blob::new("text/spdx+json", bill.to_string().into_bytes());
    let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config.descriptor(),
        "layers": [bill.descriptor()],
    });
    let tag = format!("{}.sbom", image.manifest.digest.replace(':', "-"));
    let mut content = image.clone().into_content("1");
    content.add_root(&tag, Blob::new("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into_bytes()));
    let digest = bill.digest.clone();
    content.add_blob(bill).add_blob(config);
    let scratch = Scratch::new("bill")?;
    let (host, _storage, registry) = pushed(&scratch, &content, &["1".to_owned(), tag])?;
    let reference = format!("{}/app:1", registry.host());

    let page = Page::open(&host.url())?;
    page.look(&reference)?;
    page.verified()?;
    page.browser().click("#tab-packages")?;
    page.browser().click("#start-probe")?;
    page.until("all packages are read", |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
    page.browser().click("#find-bills")?;
    let option = format!("#bill option[value='{digest}']");
    page.until("the bill", |page| page.browser().attribute(&option, "value"))?;
    pick(&page, "bill", &digest)?;
    let shown = |page: &Page| -> Result<BTreeSet<(String, String)>> {
        page.until("a comparison", |page| page.browser().attribute("#compared", "data-same"))?;
        let rows = page.browser().run(
            "return [...document.querySelectorAll('[data-difference]')].map(row => [row.dataset.difference, row.dataset.package])",
            json!([]),
        )?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(rows.as_array().into_iter().flatten().map(|row| (text(&row[0]), text(&row[1]))).collect())
    };
    let found = shown(&page)?;
    axe(&page, "a comparison")?;
    let output =
        Command::new(ours("porthole")?).args(["packages", "--json", "--against", "attached", &reference]).output()?;
    assert_eq!(output.status.code(), Some(1));
    let mut expected = BTreeSet::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        expected.insert((text("change"), text("name")));
    }
    assert_eq!((found.len(), &found), (3, &expected));

    // The URL opens the same comparison.
    let small = Page::on_screen(&page.link()?, 320, 568, "")?;
    small.browser().click("#start-probe:not(:disabled)")?;
    // Until all packages are read, the page shows the differences of those read so far.
    let same = small.until("the same comparison", |page| Ok((shown(page)? == expected).then_some(())));
    assert_eq!(shown(&small)?, expected);
    same?;
    axe(&small, "a comparison on a small screen")?;
    Ok(())
}
