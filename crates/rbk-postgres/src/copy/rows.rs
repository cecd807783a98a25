//! Follows `COPY` data as it comes, in pieces of any size, and finds where rows end: to count them, and to be able to break
//! off after one.
//!
//! Source: Postgres, `COPY`, "File Formats".

use super::fit::Format;

/// What the binary format begins with; flags and the length of an extension follow, four bytes each.
const SIGNATURE: [u8; 11] = *b"PGCOPY\n\xff\r\n\0";

/// The whole beginning, without flags and extension.
pub(super) const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The binary format's end.
pub(super) const TRAILER: [u8; 2] = [0xff, 0xff];

/// What some bytes were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How many of them, at their begin, belong to the header.
    pub header: usize,
    /// How many rows have ended in them.
    pub rows: u64,
    /// Where the last of these rows has ended.
    pub end_of_row: Option<usize>,
}

/// Where the data is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    /// Bytes left of the header's extension.
    Extension(usize),
    /// The number of a row's fields.
    Count,
    /// The length of a field; how many fields are left.
    Length(usize),
    /// Fields left, this one included, and bytes left of it.
    Field(usize, usize),
    /// The trailer has come.
    End,
    Text,
    /// In the middle of a line.
    TextLine,
}

/// Follows the data of one `COPY`.
pub(super) struct Rows {
    at: At,
    /// The begin of a number, or of the header, whose end hasn't come yet.
    partial: Vec<u8>,
}

impl Rows {
    pub fn new(format: Format) -> Self {
        Self {
            at: match format {
                Format::Binary => At::Header,
                Format::Text => At::Text,
            },
            partial: Vec::with_capacity(HEADER.len()),
        }
    }

    /// Goes on with these bytes. An error is in words: what isn't as the format has it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Seen, String> {
        match self.at {
            At::Text | At::TextLine => Ok(self.read_text(bytes)),
            _ => self.read_binary(bytes),
        }
    }

    /// Whether it may end here.
    pub fn finish(&self) -> Result<(), String> {
        match self.at {
            At::End | At::Text => Ok(()),
            _ => Err("the data ended in the middle".to_owned()),
        }
    }

    /// A line feed in a value is written as `\n`, so every one ends a row.
    fn read_text(&mut self, bytes: &[u8]) -> Seen {
        let rows = bytes.iter().filter(|byte| **byte == b'\n').count();
        if let Some(last) = bytes.last() {
            self.at = match last {
                b'\n' => At::Text,
                _ => At::TextLine,
            };
        }
        Seen {
            header: 0,
            rows: rows as u64,
            end_of_row: bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map(|place| place + 1),
        }
    }

    fn read_binary(&mut self, bytes: &[u8]) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let mut rest = bytes;
        loop {
            self.at = match self.at {
                At::Header => {
                    let header: Option<[u8; 19]> = self.take(&mut rest);
                    seen.header = bytes.len() - rest.len();
                    let Some(header) = header else { break };
                    let (signature, numbers) = header.split_at(SIGNATURE.len());
                    let (flags, extension) = numbers.split_at(4);
                    if signature != SIGNATURE || flags != [0; 4] {
                        return Err("this isn't the binary format of `COPY`".to_owned());
                    }
                    let extension = extension.try_into().map_or(0, u32::from_be_bytes);
                    At::Extension(extension as usize)
                }
                At::Extension(0) => At::Count,
                At::Extension(left) => {
                    let left = skip(&mut rest, left);
                    seen.header = bytes.len() - rest.len();
                    match left {
                        0 => At::Count,
                        left => {
                            self.at = At::Extension(left);
                            break;
                        }
                    }
                }
                At::Count => {
                    let Some(count) = self.take(&mut rest) else {
                        break;
                    };
                    match i16::from_be_bytes(count) {
                        -1 => At::End,
                        0 => {
                            seen.rows += 1;
                            seen.end_of_row = Some(bytes.len() - rest.len());
                            At::Count
                        }
                        count => At::Length(
                            usize::try_from(count)
                                .map_err(|_| format!("a row has {count} columns"))?,
                        ),
                    }
                }
                At::Length(fields) => {
                    let Some(length) = self.take(&mut rest) else {
                        break;
                    };
                    match i32::from_be_bytes(length) {
                        -1 => At::Field(fields, 0),
                        length => At::Field(
                            fields,
                            usize::try_from(length)
                                .map_err(|_| format!("a value is {length} bytes long"))?,
                        ),
                    }
                }
                At::Field(1, 0) => {
                    seen.rows += 1;
                    seen.end_of_row = Some(bytes.len() - rest.len());
                    At::Count
                }
                At::Field(fields, 0) => At::Length(fields.saturating_sub(1)),
                At::Field(fields, left) => {
                    let left = skip(&mut rest, left);
                    if left > 0 {
                        self.at = At::Field(fields, left);
                        break;
                    }
                    At::Field(fields, 0)
                }
                At::End if rest.is_empty() => break,
                At::End => return Err("data came after its end".to_owned()),
                At::Text | At::TextLine => break,
            };
        }
        Ok(seen)
    }

    /// The next bytes, once all of them have come.
    fn take<const N: usize>(&mut self, rest: &mut &[u8]) -> Option<[u8; N]> {
        if self.partial.is_empty()
            && let Some((whole, after)) = rest.split_first_chunk::<N>()
        {
            *rest = after;
            return Some(*whole);
        }
        let missing = N.saturating_sub(self.partial.len()).min(rest.len());
        let (more, after) = rest.split_at(missing);
        self.partial.extend_from_slice(more);
        *rest = after;
        let whole = <[u8; N]>::try_from(self.partial.as_slice()).ok()?;
        self.partial.clear();
        Some(whole)
    }
}

/// Leaves out as many bytes as there are, and says how many are left to come.
fn skip(rest: &mut &[u8], bytes: usize) -> usize {
    let here = bytes.min(rest.len());
    let (_, after) = rest.split_at(here);
    *rest = after;
    bytes - here
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two columns: a NULL and a text, an empty text and a number; a row without columns.
    fn binary() -> Vec<u8> {
        let mut data = HEADER.to_vec();
        data.extend([0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3]);
        // Looks like a trailer, and is none.
        data.extend([0xff, 0xff, 10]);
        data.extend([0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 7]);
        data.extend([0, 0]);
        data.extend(TRAILER);
        data
    }

    #[test]
    fn rows_are_found_however_the_data_is_cut() {
        let data = binary();
        for size in 1..=data.len() {
            let mut rows = Rows::new(Format::Binary);
            let (mut header, mut count, mut ends) = (0, 0, Vec::new());
            for (number, piece) in data.chunks(size).enumerate() {
                let seen = rows.read(piece).unwrap();
                header += seen.header;
                count += seen.rows;
                ends.extend(seen.end_of_row.map(|end| number * size + end));
            }
            rows.finish().unwrap();
            assert_eq!((header, count), (19, 3), "in pieces of {size}");
            assert!(
                ends.iter().all(|end| [32, 46, 48].contains(end)),
                "{ends:?}"
            );
            assert_eq!(ends.last(), Some(&48));
        }
    }

    #[test]
    fn an_extension_of_the_header_is_left_out() {
        let mut data = HEADER.to_vec();
        data[18] = 3;
        data.extend([1, 2, 3, 0, 0]);
        data.extend(TRAILER);
        for size in 1..=data.len() {
            let mut rows = Rows::new(Format::Binary);
            let seen: Vec<Seen> = data
                .chunks(size)
                .map(|piece| rows.read(piece).unwrap())
                .collect();
            rows.finish().unwrap();
            assert_eq!(seen.iter().map(|seen| seen.header).sum::<usize>(), 22);
            assert_eq!(seen.iter().map(|seen| seen.rows).sum::<u64>(), 1);
        }
    }

    #[test]
    fn what_is_cut_off_or_no_copy_data_is_refused() {
        let data = binary();
        for end in 0..data.len() {
            let mut rows = Rows::new(Format::Binary);
            rows.read(&data[..end]).unwrap();
            rows.finish().unwrap_err();
        }
        let mut more = data.clone();
        more.push(0);
        Rows::new(Format::Binary).read(&more).unwrap_err();
        let mut other = data;
        other[0] = b'p';
        Rows::new(Format::Binary).read(&other).unwrap_err();
    }

    #[test]
    fn lines_are_rows() {
        let mut rows = Rows::new(Format::Text);
        let seen = rows.read(b"1\ta\\nb\n2\t\\N\n3").unwrap();
        assert_eq!((seen.rows, seen.end_of_row), (2, Some(12)));
        rows.finish().unwrap_err();
        assert_eq!(rows.read(b"\tc\n").unwrap().rows, 1);
        rows.finish().unwrap();
    }
}
