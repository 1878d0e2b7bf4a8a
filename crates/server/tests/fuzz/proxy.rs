//! PROXY headers: fed exactly what it asks for, the reader comes to an end within its bound and takes not a byte
//! beyond the header; other cuts of the same bytes do not lead it elsewhere.

use std::net::IpAddr;

use wigwag_server::net::proxy::{ProxyError, Step, step};

/// The longest header that may be asked for.
const HEADER_MAX: usize = 4096;

pub(crate) fn run(data: &[u8]) {
    // Any prefix gets an answer, and none asks for more than a header can hold.
    for end in 0..=data.len().min(300) {
        if let Ok(Step::More(more)) = step(&data[..end]) {
            assert!(more > 0 && end + more <= HEADER_MAX, "{more} more after {end}");
        }
    }
    if let Some(Ok((source, length))) = read(data) {
        let header = &data[..length];
        if header.starts_with(b"PROXY") {
            assert!(header.ends_with(b"\r\n") && length <= 107);
            assert_eq!(header.windows(2).filter(|pair| pair == b"\r\n").count(), 1, "one line");
            assert!(source.is_none_or(|source| said_in(header, source)), "{source:?} is not in the line");
        } else {
            assert_eq!(length, 16 + usize::from(u16::from_be_bytes([header[14], header[15]])));
            assert!(source.is_none() || header[12] & 0xf == 1, "only PROXY tells a source, LOCAL does not");
        }
        // What follows belongs to the one who connects and changes nothing.
        let mut longer = header.to_vec();
        longer.extend(b"PROXY GET");
        assert_eq!(read(&longer), Some(Ok((source, length))));
    }
}

/// The source and the header's length; None if there are not enough bytes.
fn read(data: &[u8]) -> Option<Result<(Option<IpAddr>, usize), ProxyError>> {
    let mut held = 0;
    loop {
        match step(data.get(..held)?) {
            Ok(Step::Done(source)) => return Some(Ok((source, held))),
            Ok(Step::More(more)) => held += more,
            Err(error) => return Some(Err(error)),
        }
    }
}

fn said_in(line: &[u8], source: IpAddr) -> bool {
    let line = String::from_utf8_lossy(line);
    line.split(' ').nth(2).and_then(|word| word.parse().ok()) == Some(source)
}
