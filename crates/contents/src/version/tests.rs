use super::*;
use proptest::prelude::*;

/// Each list is in ascending order; versions in one text are equal.
fn ascends(ecosystem: Ecosystem, list: &[&str]) {
    let each: Vec<(usize, &str)> = list
        .iter()
        .enumerate()
        .flat_map(|(place, equal)| equal.split(' ').map(move |version| (place, version)))
        .collect();
    for (a_place, a) in &each {
        for (b_place, b) in &each {
            assert_eq!(compare(ecosystem, a, b), a_place.cmp(b_place), "{ecosystem}: {a} and {b}");
        }
    }
}

/// As `dpkg --compare-versions` says.
#[test]
fn versions_of_dpkg_are_in_its_order() {
    ascends(
        Ecosystem::Deb,
        &[
            "1.0~~",
            "1.0~~a",
            "1.0~rc1",
            "1.0~+",
            "1.0 1.0-0 0:1.0 1.00",
            "1.0-1~",
            "1.0-1",
            "1.0-1.1",
            "1.0a",
            "1.0+b1",
            "1.0. 1.0.0",
            "009",
            "10",
            "1:0",
        ],
    );
    ascends(Ecosystem::Deb, &["1-2", "1-1-1"]);
    ascends(Ecosystem::Deb, &["7.88.1-10", "7.88.1-10+deb12u5", "7.88.1-10+deb12u12"]);
}

/// As `rpm.vercmp` says.
#[test]
fn versions_of_rpm_are_in_its_order() {
    ascends(
        Ecosystem::Rpm,
        &[
            "1.0~~",
            "1.0~",
            "1.0~rc1",
            "1.0 1_0 1.0+ 0:1.0",
            "1.0^a1",
            "1.0^20160101",
            "1.0a",
            "1.0.1 1.0.01",
            "10a1",
            "10b2",
            "1:0.1",
        ],
    );
    ascends(Ecosystem::Rpm, &["a", "1"]);
    ascends(Ecosystem::Rpm, &["5.1-9.fc39", "5.1-10.fc39", "5.1-10.fc40", "5.2-1.fc39"]);
}

/// As apk-tools' own table says.
#[test]
fn versions_of_apk_are_in_its_order() {
    ascends(
        Ecosystem::Apk,
        &[
            "0.1.0_alpha_pre2",
            "0.1.0_alpha",
            "0.1.0_alpha2",
            "0.1.0_beta1",
            "0.1.0_rc1",
            "0.1.0",
            "0.1.0-r1",
            "0.1.0-r10",
            "0.1.0_p1",
            "0.1.0_p1-r1",
            "0.1.0_p10",
            "0.1.0a",
            "0.1.0.1",
            "0.1.1",
        ],
    );
    ascends(Ecosystem::Apk, &["1.02", "1.1", "006", "13", "20050718-r1"]);
    ascends(Ecosystem::Apk, &["3.9.8", "3.9.8~12-r6", "3.9.8~abc123-r5"]);
}

#[test]
fn semantic_versions_are_in_their_order() {
    ascends(
        Ecosystem::Npm,
        &[
            "1.0.0-1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0 v1.0.0 1.0.0+build 1.0",
            "1.2.0",
            "1.10.0",
        ],
    );
    ascends(
        Ecosystem::Golang,
        &["v0.0.0-20200101000000-abcdef123456", "v0.0.0-20210101000000-0123456789ab", "v0.0.1", "v2.0.0+incompatible"],
    );
}

#[test]
fn versions_with_words_are_in_their_order() {
    ascends(
        Ecosystem::Pypi,
        &[
            "1.0.dev1",
            "1.0a1 1.0alpha1",
            "1.0b1",
            "1.0rc1 1.0c1",
            "1.0rc2",
            "1.0 1 1.0.0",
            "1.0.post1",
            "1.0.1.dev1",
            "1.0.1",
            "1.1",
            "1.10",
            "1!0.1",
        ],
    );
    ascends(
        Ecosystem::Maven,
        &[
            "1.0-SNAPSHOT",
            "1.0-alpha-1",
            "1.0-beta-2",
            "1.0-M1",
            "1.0-RC1",
            "1.0 1.0.Final 1.0-GA 1.0.0.RELEASE",
            "1.0-jre",
            "1.0.1",
        ],
    );
    ascends(Ecosystem::Gem, &["2.0.0.pre1", "2.0.0.rc1", "2.0.0", "2.0.1"]);
    ascends(Ecosystem::Composer, &["v1.0.0-beta1", "1.0.0-RC1", "v1.0.0 1.0.0", "1.0.1"]);
}

proptest! {
    #[test]
    fn the_order_is_one(texts in proptest::collection::vec("[0-9a-c.~^_+:!v-]{0,8}|[0-9]\\.[0-9](_p|_rc|-r|rc|-beta\\.)[0-9]|\\PC{0,4}", 3)) {
        let [a, b, c] = texts.as_slice() else { unreachable!("three texts") };
        for ecosystem in Ecosystem::ALL {
            let order = |a, b| compare(ecosystem, a, b);
            prop_assert_eq!(order(a, a), Ordering::Equal);
            prop_assert_eq!(order(a, b), order(b, a).reverse(), "{}: {} {}", ecosystem, a, b);
            if order(a, b).is_le() && order(b, c).is_le() {
                prop_assert!(order(a, c).is_le(), "{}: {} {} {}", ecosystem, a, b, c);
            }
        }
    }
}
