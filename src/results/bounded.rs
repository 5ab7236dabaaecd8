//! Decompression with a bound: a few bytes can expand to more than any memory has.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read};
use std::path::Path;

use super::files::{FileError, open};

/// So many bytes may be made of one: the lines of a trial, which hold times and counts, come to a tenth of it.
const MOST_TO_ONE: u64 = 100;
/// So many more, since a small file compresses as it likes.
const AT_LEAST: u64 = 1 << 20;
/// How far back a compressed file may refer, as a power of two: what memory the decompression itself takes. The lab's go back 2^21 bytes.
const WINDOW: u32 = 24;

/// What a file expands to, as far as it does not expand to more than a history does.
pub(super) struct Bounded {
    from: zstd::Decoder<'static, BufReader<File>>,
    most: u64,
    left: u64,
}

impl Bounded {
    /// What there is too much of.
    pub fn excess(&self) -> String {
        format!("expands to more than {} MiB, {MOST_TO_ONE} times its size, which no history does", self.most >> 20)
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.from.read(into)?;
        self.left = self.left.checked_sub(length as u64).ok_or(Error::from(ErrorKind::FileTooLarge))?;
        Ok(length)
    }
}

/// Opens a compressed file.
///
/// # Errors
/// [`FileError`] if it cannot be opened.
pub(super) fn decompressed(path: &Path) -> Result<Bounded, FileError> {
    let unreadable = |source| FileError::unreadable(path, source);
    let file = open(path)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut from = zstd::Decoder::new(file).map_err(unreadable)?;
    from.window_log_max(WINDOW).map_err(unreadable)?;
    let most = size.saturating_mul(MOST_TO_ONE).saturating_add(AT_LEAST);
    Ok(Bounded { from, most, left: most })
}

#[cfg(test)]
mod tests {
    use super::super::{SCHEMA, read_history};
    use super::*;

    /// A file with these lines.
    fn file(folder: &Path, lines: &dyn Fn(&mut dyn std::io::Write)) -> std::path::PathBuf {
        let path = folder.join("a.jsonl.zst");
        let mut to = zstd::Encoder::new(File::create(&path).unwrap(), 19).unwrap();
        lines(&mut to);
        to.finish().unwrap();
        path
    }

    fn header() -> String {
        format!(
            "{{\"schema\":{SCHEMA},\"trial\":\"a\",\"strategy\":\"a\",\"faults\":\"b\",\"store\":\"sqlite\",\"lock\":null,\"seed\":1,\"requests\":1,\"lease_us\":1}}\n"
        )
    }

    #[test]
    fn a_small_file_that_expands_without_end_is_refused_with_its_size() {
        let folder = tempfile::tempdir().unwrap();
        // 256 MiB of one line again and again, of some 25 kB.
        let line = "{\"balance_of\":1,\"is\":1}\n".repeat(1 << 15);
        let bomb = file(folder.path(), &|to| {
            to.write_all(header().as_bytes()).unwrap();
            for _ in 0..(256 << 20) / line.len() {
                to.write_all(line.as_bytes()).unwrap();
            }
        });
        assert!(bomb.metadata().unwrap().len() < 200_000);
        let said = read_history(&bomb).unwrap_err().to_string();
        assert!(said.contains("a.jsonl.zst") && said.contains("expands to more than"), "{said}");
    }

    #[test]
    fn a_line_without_end_is_refused_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let endless = file(folder.path(), &|to| {
            to.write_all(header().as_bytes()).unwrap();
            to.write_all(&vec![b' '; 1 << 20]).unwrap();
            to.write_all(&vec![b' '; 1 << 16]).unwrap();
        });
        let said = read_history(&endless).unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains("1024 KiB"), "{said}");
    }
}
