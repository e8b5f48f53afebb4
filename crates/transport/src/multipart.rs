//! `multipart/form-data` (RFC 7578) as a stream: what comes is given on at once, nothing is kept
//! but a part's headers and as many bytes as a boundary is long.

use bytes::{Buf as _, Bytes, BytesMut};

/// The most that a part's headers may take, in bytes.
const HEADERS: usize = 16 * 1024;
/// The longest boundary (RFC 2046 §5.1.1).
const BOUNDARY: usize = 70;

/// What is wrong with a form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MultipartError {
    /// The content type has no usable boundary.
    #[error("the content type names no boundary of 1 to {BOUNDARY} characters")]
    Boundary,
    /// A part's headers are too long.
    #[error("the headers of a part are longer than {HEADERS} bytes")]
    Headers,
    /// A part has no name.
    #[error("a part has no name")]
    Name,
    /// What follows a boundary is neither a part nor the end.
    #[error("something else than a part follows a boundary")]
    AfterBoundary,
    /// The form ends too early.
    #[error("the form ends in the middle")]
    Incomplete,
}

/// The boundary in a content type.
///
/// # Errors
/// There is none.
pub fn boundary(content_type: &str) -> Result<String, MultipartError> {
    let value = content_type
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| (1..=BOUNDARY).contains(&value.len()));
    value.map(str::to_owned).ok_or(MultipartError::Boundary)
}

/// Something in a form.
#[derive(Debug, PartialEq, Eq)]
pub enum PartEvent {
    /// A part begins.
    Begin {
        /// Name of the form's field.
        name: String,
        /// Name of the file, or empty.
        filename: String,
    },
    /// Content of the part that began last.
    Data(Bytes),
    /// The part is complete.
    End,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary.
    AfterBoundary,
    /// In a part's headers.
    Headers,
    /// In a part's content.
    Content,
    /// Behind the last boundary.
    Epilogue,
}

/// A form that arrives in pieces.
pub struct Multipart {
    /// CR LF, two dashes, and the boundary.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
}

impl Multipart {
    /// Nothing has arrived yet.
    pub fn new(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The first boundary may be the first line: it gets the line end that the delimiter wants.
        Self { delimiter, buffer: BytesMut::from(&b"\r\n"[..]), state: State::Preamble }
    }

    /// Adds what arrived.
    pub fn push(&mut self, data: &[u8]) {
        if self.state != State::Epilogue {
            self.buffer.extend_from_slice(data);
        }
    }

    /// What follows; `None` when more has to arrive first.
    ///
    /// # Errors
    /// What arrived is no form.
    pub fn event(&mut self) -> Result<Option<PartEvent>, MultipartError> {
        loop {
            match self.state {
                State::Preamble => {
                    let Some(at) = find(&self.buffer, &self.delimiter) else {
                        let keep = self.delimiter.len().min(self.buffer.len());
                        self.buffer.advance(self.buffer.len() - keep);
                        return Ok(None);
                    };
                    self.buffer.advance(at + self.delimiter.len());
                    self.state = State::AfterBoundary;
                }
                State::AfterBoundary => match self.buffer.first_chunk::<2>() {
                    None => return Ok(None),
                    Some(b"--") => {
                        self.buffer.clear();
                        self.state = State::Epilogue;
                    }
                    Some(b"\r\n") => self.state = State::Headers,
                    Some(_) => return Err(MultipartError::AfterBoundary),
                },
                State::Headers => return self.headers(),
                State::Content => return Ok(self.content()),
                State::Epilogue => return Ok(None),
            }
        }
    }

    /// Call when everything has arrived.
    ///
    /// # Errors
    /// The form is not complete.
    pub fn finish(&self) -> Result<(), MultipartError> {
        if self.state == State::Epilogue { Ok(()) } else { Err(MultipartError::Incomplete) }
    }

    /// Headers begin with the line end of the boundary's line, so that no headers look like some.
    fn headers(&mut self) -> Result<Option<PartEvent>, MultipartError> {
        let Some(at) = find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > HEADERS { Err(MultipartError::Headers) } else { Ok(None) };
        };
        if at > HEADERS {
            return Err(MultipartError::Headers);
        }
        let text = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
        self.buffer.advance(at + 4);
        let disposition = text.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let disposition = disposition.ok_or(MultipartError::Name)?;
        let name = parameter(disposition, "name").ok_or(MultipartError::Name)?;
        let filename = parameter(disposition, "filename").unwrap_or_default();
        self.state = State::Content;
        Ok(Some(PartEvent::Begin { name, filename }))
    }

    fn content(&mut self) -> Option<PartEvent> {
        match find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.buffer.advance(self.delimiter.len());
                self.state = State::AfterBoundary;
                Some(PartEvent::End)
            }
            Some(at) => Some(PartEvent::Data(self.buffer.split_to(at).freeze())),
            None => {
                let safe = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
                (safe > 0).then(|| PartEvent::Data(self.buffer.split_to(safe).freeze()))
            }
        }
    }
}

/// Where `needle`, which begins with a rare byte, is in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(offset) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + offset;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The value of `name` in `form-data; name="x"; filename="y"`.
fn parameter(disposition: &str, name: &str) -> Option<String> {
    let mut rest = disposition;
    while let Some((_, after)) = rest.split_once(';') {
        let (key, value) = after.split_once('=')?;
        let value = value.trim_start();
        let (text, tail) = if let Some(quoted) = value.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = value.find(';').unwrap_or(value.len());
            (value[..end].trim().to_owned(), &value[end..])
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = tail;
    }
    None
}

/// A quoted string up to its end, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] =
        b"ignored\r\n--xyz\r\nContent-Disposition: form-data; name=\"metadata\"; filename=\"m;1.tar\"\r\n\
        Content-Type: application/octet-stream\r\n\r\nfirst\r\n--xy\r\nline\r\n--xyz\r\n\
        content-disposition: form-data; name=rootfs\r\n\r\n\r\n--xyz--\r\nepilogue";

    fn events(form: &[u8], size: usize) -> Result<Vec<(String, String, Vec<u8>)>, MultipartError> {
        let mut multipart = Multipart::new("xyz");
        let mut parts = Vec::new();
        let mut current = None;
        for piece in form.chunks(size) {
            multipart.push(piece);
            while let Some(event) = multipart.event()? {
                match event {
                    PartEvent::Begin { name, filename } => current = Some((name, filename, Vec::new())),
                    PartEvent::Data(data) => current.as_mut().unwrap().2.extend_from_slice(&data),
                    PartEvent::End => parts.push(current.take().unwrap()),
                }
            }
        }
        multipart.finish()?;
        Ok(parts)
    }

    #[test]
    fn forms_in_pieces_of_every_size() {
        for size in 1..FORM.len() {
            let parts = events(FORM, size).unwrap();
            assert_eq!(
                parts,
                [
                    ("metadata".to_owned(), "m;1.tar".to_owned(), b"first\r\n--xy\r\nline".to_vec()),
                    ("rootfs".to_owned(), String::new(), Vec::new()),
                ],
                "{size}"
            );
        }
    }

    #[test]
    fn forms_that_are_none() {
        assert_eq!(events(b"", 1), Err(MultipartError::Incomplete));
        assert_eq!(events(b"--xyz\r\n", 1), Err(MultipartError::Incomplete));
        assert_eq!(events(b"--xyz!!", 1), Err(MultipartError::AfterBoundary));
        assert_eq!(events(b"--xyz\r\nA: b\r\n\r\nx\r\n--xyz--", 3), Err(MultipartError::Name));
        let long = [&b"--xyz\r\n"[..], &vec![b'a'; HEADERS + 10]].concat();
        assert_eq!(events(&long, 1000), Err(MultipartError::Headers));
    }

    #[test]
    fn boundaries_come_from_the_content_type() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Ok("abc".to_owned()));
        assert_eq!(boundary("multipart/form-data; charset=x; Boundary=\"a b\""), Ok("a b".to_owned()));
        for bad in ["multipart/form-data", "multipart/form-data; boundary=", "application/json"] {
            assert_eq!(boundary(bad), Err(MultipartError::Boundary), "{bad}");
        }
    }

    #[test]
    fn quoted_names_may_hold_anything() {
        assert_eq!(parameter(r#" form-data; name="a\"b;c"; filename=d"#, "name").unwrap(), "a\"b;c");
        assert_eq!(parameter(r#" form-data; name="a"; filename=d "#, "filename").unwrap(), "d");
        assert_eq!(parameter(" form-data; name=\"a", "name"), None);
    }
}
