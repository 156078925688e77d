use super::*;
use crate::package::Package;
use serde_json::json;

/// Packages as `type name version`; `type name version layer` was removed by that layer.
fn inventory(list: &[&str]) -> Inventory {
    let installed = |text: &&str| {
        let words: Vec<&str> = text.split(' ').collect();
        let package = Package::new(Ecosystem::named(words[0]).unwrap(), words[1], words[2]);
        let removed_by = words.get(3).map(|layer| layer.parse().unwrap());
        Installed { package, recorded_in: b"db".to_vec(), layer: 0, removed_by, replaced_by: None }
    };
    Inventory { packages: list.iter().map(installed).collect(), ..Inventory::default() }
}

/// A bill of package URLs; any other text is `name version`.
fn bill(list: &[&str]) -> BillOfMaterials {
    let component = |text: &&str| match text.split_once(' ') {
        Some((name, version)) => json!({"type": "library", "name": name, "version": version}),
        None => json!({"type": "library", "name": "n", "purl": text}),
    };
    let components: Vec<_> = list.iter().map(component).collect();
    BillOfMaterials::of_document(&json!({"bomFormat": "CycloneDX", "components": components})).unwrap()
}

/// `agreement name version-of-the-bill version-of-the-image`
fn told(list: &[&str], image: &[&str]) -> Vec<String> {
    let (bill, inventory) = (bill(list), inventory(image));
    let comparison = BillComparison::of(&bill, &inventory);
    let line = |row: &BillRow<'_>| {
        let listed = row.listed.map(|listed| listed.purl.clone().or_else(|| listed.version.clone()).unwrap());
        let installed = row.installed.map(|installed| installed.package.version.clone());
        let text = |side: Option<String>| side.unwrap_or_else(|| "-".into());
        format!("{} {} {}", row.agreement.name(), text(listed), text(installed))
    };
    comparison.rows.iter().map(line).collect()
}

#[test]
fn packages_are_the_same_by_the_rules_of_their_ecosystem() {
    for (purl, image) in [
        ("pkg:deb/ubuntu/libstdc%2B%2B6@1:12.2-14%2Bb1?arch=amd64&distro=x", "deb libstdc++6 1:12.2-14+b1"),
        ("pkg:deb/debian/a@2-1?epoch=1", "deb a 1:2-1"),
        ("pkg:rpm/fedora/bash@5.2-1?arch=x86_64&epoch=1", "rpm bash 1:5.2-1"),
        ("pkg:rpm/fedora/bash@5.2-1", "rpm bash 1:5.2-1"),
        ("pkg:apk/wolfi/busybox@1.36-r0?arch=x86_64", "apk busybox 1.36-r0"),
        ("pkg:pypi/ruamel-yaml@0.18", "pypi ruamel.yaml 0.18"),
        ("pkg:pypi/PyYAML_x@6.0", "pypi pyyaml-X 6.0"),
        ("pkg:npm/%40angular/core@12.3.1", "npm @angular/core 12.3.1"),
        ("pkg:golang/github.com/masterminds/semver@v3.2.0#v3", "golang github.com/Masterminds/semver/v3 v3.2.0"),
        ("pkg:golang/stdlib@1.22.1", "golang stdlib go1.22.1"),
        ("pkg:maven/org.apache.logging/log4j-core@2.17", "maven log4j-core 2.17"),
        ("pkg:maven/log4j-core@2.17", "maven org.apache.logging:log4j-core 2.17"),
        ("pkg:nuget/serilog@3.1.0", "nuget Serilog 3.1.0"),
        ("pkg:composer/monolog/monolog@v3.5.0", "composer monolog/monolog 3.5.0"),
    ] {
        let version = image.rsplit(' ').next().unwrap();
        assert_eq!(told(&[purl], &[image]), [format!("same {purl} {version}")]);
    }
}

#[test]
fn what_only_one_side_has_is_a_row_and_so_are_two_versions() {
    let listed = ["pkg:deb/debian/a@1", "pkg:deb/debian/b@2", "pkg:deb/debian/c@1"];
    assert_eq!(
        told(&listed, &["deb a 1", "deb b 3", "deb d 1"]),
        [
            "same pkg:deb/debian/a@1 1",
            "version pkg:deb/debian/b@2 3",
            "only-image - 1",
            "only-bill pkg:deb/debian/c@1 -"
        ]
    );
    // A name means nothing in another ecosystem.
    assert_eq!(told(&["pkg:npm/a@1"], &["deb a 1"]), ["only-image - 1", "only-bill pkg:npm/a@1 -"]);
}

#[test]
fn each_of_several_versions_counts_once() {
    let listed = ["pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0", "pkg:npm/a@2.0.0", "pkg:npm/a@3.0.0"];
    assert_eq!(
        told(&listed, &["npm a 1.0.0", "npm a 2.1.0", "npm a 2.1.0"]),
        ["same pkg:npm/a@1.0.0 1.0.0", "version pkg:npm/a@2.0.0 2.1.0", "only-bill pkg:npm/a@3.0.0 -"]
    );
}

#[test]
fn an_entry_without_a_package_url_is_found_by_its_name() {
    assert_eq!(told(&["bash 5.2", "curl 7"], &["apk bash 5.2"]), ["only-bill 7 -", "same 5.2 5.2"]);
    assert_eq!(told(&["pkg:deb/debian/a"], &["deb a 1"]), ["same pkg:deb/debian/a 1"], "no version is no difference");
}

#[test]
fn a_package_of_the_bill_that_a_layer_removed_names_that_layer() {
    let (bill, inventory) = (bill(&["pkg:deb/debian/gcc@12"]), inventory(&["deb gcc 12 3"]));
    let comparison = BillComparison::of(&bill, &inventory);
    let [row] = comparison.rows[..] else { panic!("{comparison:?}") };
    assert_eq!(row.agreement, BillAgreement::OnlyBill);
    assert_eq!(row.installed.and_then(|installed| installed.removed_by), Some(3));
    assert!(!comparison.agrees());
}

#[test]
fn files_systems_and_unknown_ecosystems_are_counted_apart() {
    let document = json!({"bomFormat": "CycloneDX", "components": [
        {"type": "operating-system", "name": "debian", "version": "12"}, {"type": "file", "name": "/etc/passwd"},
        {"type": "library", "name": "x", "purl": "pkg:conan/x@1"}, {"type": "library", "name": "y", "purl": "no URL"},
        {"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1"},
    ]});
    let (bill, inventory) = (BillOfMaterials::of_document(&document).unwrap(), inventory(&["deb a 1"]));
    let comparison = BillComparison::of(&bill, &inventory);
    assert_eq!((comparison.others, comparison.agrees()), (4, true));
    let document = json!({"spdxVersion": "SPDX-2.3", "packages": [
        {"name": "image", "primaryPackagePurpose": "CONTAINER"}, {"name": "image", "externalRefs": [
            {"referenceType": "purl", "referenceLocator": "pkg:oci/image@sha256:ab"}]}]});
    let bill = BillOfMaterials::of_document(&document).unwrap();
    assert_eq!(BillComparison::of(&bill, &Inventory::default()).others, 2);
}

#[test]
fn an_export_agrees_with_the_image_that_it_is_of() {
    let image =
        ["deb libc6 1:2.36-9+b1", "npm @a/b 1.0.0", "npm @a/b 2.0.0", "golang Example.org/X/v2 v2.0.0", "pypi A.b_C 1"];
    let more = ["maven g:a 1", "gem rake 13", "rpm bash 1:5-1", "composer V/n 1", "nuget N 1", "cargo a_b 1"];
    let image: Vec<_> = image.into_iter().chain(more).collect();
    let inventory = inventory(&image);
    let subject = crate::export::ExportSubject { name: "a", digest: None, created: None };
    for document in [crate::export::spdx(&inventory, subject), crate::export::cyclonedx(&inventory, subject)] {
        let bill = BillOfMaterials::of_document(&document).unwrap();
        let comparison = BillComparison::of(&bill, &inventory);
        assert_eq!((comparison.agrees(), comparison.count(BillAgreement::Same)), (true, 11), "{comparison:#?}");
    }
}
