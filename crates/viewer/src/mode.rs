//! Permission bits as `ls -l` writes them.

/// `drwxr-xr-x`, from a kind's letter and twelve permission bits (POSIX `ls`, set-uid, set-gid and sticky included).
pub fn mode(letter: char, bits: u32) -> String {
    let mut text = String::with_capacity(10);
    text.push(letter);
    for (shift, special, lower, upper) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let triple = bits >> shift;
        text.push(if triple & 4 == 0 { '-' } else { 'r' });
        text.push(if triple & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & special != 0, triple & 1 != 0) {
            (true, true) => lower,
            (true, false) => upper,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let rows = [
            ('-', 0o644, "-rw-r--r--"),
            ('d', 0o755, "drwxr-xr-x"),
            ('l', 0o777, "lrwxrwxrwx"),
            ('-', 0o4755, "-rwsr-xr-x"),
            ('-', 0o2644, "-rw-r-Sr--"),
            ('d', 0o1777, "drwxrwxrwt"),
            ('d', 0o1776, "drwxrwxrwT"),
            ('-', 0o7000, "---S--S--T"),
            ('c', 0, "c---------"),
        ];
        for (letter, bits, text) in rows {
            assert_eq!(mode(letter, bits), text);
        }
    }
}
