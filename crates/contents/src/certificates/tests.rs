use super::*;
use proptest::prelude::*;

const AUTHORITY: &[u8] = include_bytes!("../../tests/vectors/certificates/ca.pem");
const LEAF: &[u8] = include_bytes!("../../tests/vectors/certificates/leaf.pem");
const LATE: &[u8] = include_bytes!("../../tests/vectors/certificates/late.pem");
const ITSELF: &[u8] = include_bytes!("../../tests/vectors/certificates/self.pem");

fn found(path: &str, text: &[u8]) -> Vec<String> {
    let mut collector = CertificateCollector::default();
    let mut entry = Entry::new(path, Kind::File);
    entry.size = text.len() as u64;
    if collector.begin(&entry) {
        text.chunks(100).for_each(|part| collector.push(part));
        collector.end();
    }
    collector.finish().into_iter().map(|certificate| certificate.not_after).collect()
}

#[test]
fn the_end_of_a_leaf_is_read_in_both_forms() {
    assert_eq!(found("etc/leaf.pem", LEAF), ["20210203040506"]);
    assert_eq!(found("etc/late.crt", LATE), ["20560203040506"]);
    let chain = [LEAF, AUTHORITY, b"text\n", LATE].concat();
    assert_eq!(found("etc/chain.pem", &chain), ["20210203040506", "20560203040506"]);
    assert_eq!(found("etc/self.pem", ITSELF).len(), 1, "one that says that it is no authority");
}

#[test]
fn authorities_and_other_files_are_left_out() {
    assert_eq!(found("etc/ca.pem", AUTHORITY), Vec::<String>::new());
    assert_eq!(found("etc/leaf.txt", LEAF), Vec::<String>::new());
    assert_eq!(
        found("etc/a.pem", b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"),
        Vec::<String>::new()
    );
}

proptest! {
    #[test]
    fn damaged_certificates_are_no_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>()) {
        for text in [LEAF, LATE, AUTHORITY] {
            let mut der = blocks(text).next().unwrap();
            let place = at.index(der.len());
            der[place] = byte;
            let _ = not_after_of_leaf(&der);
            der.truncate(cut.index(der.len()));
            let _ = not_after_of_leaf(&der);
        }
    }
}
