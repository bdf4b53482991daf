//! Turns a PSP page into Python source, with mod_python's rules for indentation, and says which line each part comes from.

use super::literal;

/// How deep files may include one another.
const DEEPEST: usize = 64;

/// How many includes a page may have, those of its includes counted.
const MOST_INCLUDES: usize = 10_000;

/// How much text a page may have, in bytes, that of its includes counted.
const MOST_TEXT: usize = if cfg!(test) { 4 } else { 64 } * 1024 * 1024;

/// What reads an included file.
pub type Load<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Vec<u8>, LoadError>;

/// Why a file could not be read, as `errno`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadError(pub i32);

/// A file of the page: the first is the page, the others are included.
#[derive(Debug, PartialEq)]
pub struct File {
    pub name: Vec<u8>,
    /// The file that includes it, and in which line.
    pub parent: usize,
    pub parent_line: usize,
}

/// Where a part of the source comes from, until the next one begins. Lines count from 1, columns are bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    pub file: usize,
    pub file_line: usize,
    pub file_column: usize,
}

/// A page as Python source.
#[derive(Debug)]
pub struct Page {
    pub source: String,
    pub files: Vec<File>,
    pub places: Vec<Place>,
    /// The line of a last `<%` that is not closed. mod_python takes the rest of the page for its code.
    pub unclosed: Option<usize>,
}

/// What is wrong with a page.
#[derive(Debug, PartialEq)]
pub enum Problem {
    /// A sentence about a line of a file.
    Syntax { file: Vec<u8>, line: usize, sentence: String },
    /// A file that is included cannot be read.
    Include { file: Vec<u8>, errno: i32, by: Vec<u8>, line: usize },
}

/// How a page is parsed.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Put in front of the names of included files that are not absolute.
    pub folder: &'a [u8],
    /// The source is for running, not for looking at: backslashes in text are written so that Python has nothing to complain of.
    pub is_for_running: bool,
}

/// Parses a page.
///
/// # Errors
/// What is wrong with the page, with its file and line.
pub fn parse(name: &[u8], page: &[u8], options: Options<'_>, load: Load<'_>) -> Result<Page, Problem> {
    let mut parser = Parser {
        options,
        load,
        files: vec![File { name: name.to_owned(), parent: 0, parent_line: 0 }],
        open: vec![0],
        out: Output::default(),
        text: String::new(),
        read: 0,
        unclosed: None,
    };
    let page = parser.checked(0, page)?;
    if page.is_empty() {
        return Ok(parser.finished());
    }
    parser.out.mark(0, 1, 0);
    parser.out.push("req.write(\"\"\"");
    parser.file(0, page)?;
    if parser.unclosed.is_none() {
        parser.end_text();
        parser.out.push("\"\"\",0)\n");
    }
    Ok(parser.finished())
}

/// The source, and how far it is.
#[derive(Default)]
struct Output {
    source: String,
    lines: usize,
    line_start: usize,
    places: Vec<Place>,
}

impl Output {
    fn push(&mut self, text: &str) {
        if let Some(last) = text.rfind('\n') {
            self.lines += text.bytes().filter(|byte| *byte == b'\n').count();
            self.line_start = self.source.len() + last + 1;
        }
        self.source.push_str(text);
    }

    /// What comes next is from here.
    fn mark(&mut self, file: usize, file_line: usize, file_column: usize) {
        let (line, column) = (self.lines + 1, self.source.len() - self.line_start);
        self.places.push(Place { line, column, file, file_line, file_column });
    }
}

/// The text of one file, and how far it is read.
struct Reader<'a> {
    file: usize,
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'a> Reader<'a> {
    fn new(file: usize, text: &'a str) -> Self {
        Self { file, text, at: 0, line: 1, line_start: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// Takes the next `count` bytes, which end with a character.
    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.rest().split_at(count);
        let mut bytes = taken.bytes().chain(rest.bytes().take(1)).enumerate().peekable();
        while let Some((index, byte)) = bytes.next().filter(|(index, _)| *index < count) {
            if byte == b'\n' || byte == b'\r' && bytes.peek().is_none_or(|(_, next)| *next != b'\n') {
                self.line += 1;
                self.line_start = self.at + index + 1;
            }
        }
        self.at += count;
        taken
    }

    /// Takes what comes before `end`, and `end`; `None` if it does not come.
    fn take_to(&mut self, end: &str) -> Option<&'a str> {
        let count = self.rest().find(end)?;
        let taken = self.take(count);
        self.take(end.len());
        Some(taken)
    }

    /// Takes what comes before one of these bytes, all of them ASCII, or the rest.
    fn take_until(&mut self, stops: &[u8]) -> &'a str {
        let rest = self.rest();
        let count = rest.bytes().position(|byte| stops.contains(&byte)).unwrap_or(rest.len());
        self.take(count)
    }
}

struct Parser<'a> {
    options: Options<'a>,
    load: Load<'a>,
    files: Vec<File>,
    /// The file that is read and those that include it, by their places in `files`.
    open: Vec<usize>,
    out: Output,
    /// The text of the literal that is being written, without its quotes.
    text: String,
    /// How many bytes were read.
    read: usize,
    unclosed: Option<usize>,
}

impl Parser<'_> {
    fn finished(self) -> Page {
        Page { source: self.out.source, files: self.files, places: self.out.places, unclosed: self.unclosed }
    }

    fn wrong(&self, file: usize, line: usize, sentence: impl Into<String>) -> Problem {
        Problem::Syntax { file: self.files[file].name.clone(), line, sentence: sentence.into() }
    }

    /// The text of a file, if it is text.
    fn checked<'t>(&mut self, file: usize, bytes: &'t [u8]) -> Result<&'t str, Problem> {
        self.read += bytes.len();
        if self.read > MOST_TEXT {
            let most = MOST_TEXT / 1024 / 1024;
            return Err(self.wrong(
                file,
                1,
                format!("the page has more than {most} MiB of text, that of its includes counted"),
            ));
        }
        let line_at = |at: usize| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            let sentence = format!("byte 0x{:02x} is not UTF-8: pages are read as UTF-8, save the file so", bytes[at]);
            self.wrong(file, line_at(at), sentence)
        })?;
        match text.find('\0') {
            Some(at) => Err(self.wrong(file, line_at(at), "a NUL character: is the file a page?")),
            None => Ok(text),
        }
    }

    /// Reads a file as text with tags in it.
    fn file(&mut self, file: usize, text: &str) -> Result<(), Problem> {
        let mut reader = Reader::new(file, text);
        loop {
            self.text.push_str(reader.take_until(b"<\"\\\r"));
            let rest = reader.rest();
            let mut characters = rest.bytes();
            match (characters.next(), characters.next()) {
                (None, _) => return Ok(()),
                (Some(b'<'), Some(b'%')) => {
                    if self.tag(&mut reader)?.is_break() {
                        return Ok(());
                    }
                }
                (Some(b'"'), _) => {
                    reader.take(1);
                    self.text.push_str("\\\"");
                }
                (Some(b'\\'), Some(letter @ (b'n' | b'r' | b't'))) => {
                    reader.take(2);
                    self.text.push_str("\\\\");
                    self.text.push(letter.into());
                }
                (Some(b'\r'), Some(b'\n')) => {
                    reader.take(2);
                    self.text.push('\n');
                }
                (Some(b'\r'), _) if self.options.is_for_running => {
                    // What Python makes of it, so that lines are counted alike; it takes \r\r\n for one end of a line and a half
                    if !reader.take(1).is_empty() && !reader.rest().starts_with("\r\n") {
                        self.text.push('\n');
                    }
                }
                _ => self.text.push_str(reader.take(1)),
            }
        }
    }

    /// Reads a tag; `Break` where the page ends in it.
    fn tag(&mut self, reader: &mut Reader<'_>) -> Result<std::ops::ControlFlow<()>, Problem> {
        let (file, line) = (reader.file, reader.line);
        let unclosed = |parser: &Self, tag: &str, end: &str| {
            let sentence = format!("the tag {tag} is not closed: {end} is missing");
            Err(parser.wrong(file, line, sentence))
        };
        let rest = reader.rest();
        if rest.starts_with("<%--") {
            reader.take(4);
            if reader.take_to("--%>").is_none() {
                return unclosed(self, "<%--", "--%>");
            }
        } else if rest.starts_with("<%@") {
            reader.take(3);
            match reader.take_to("%>") {
                Some(directive) => self.directive(file, line, directive)?,
                None => return unclosed(self, "<%@", "%>"),
            }
        } else if rest.starts_with("<%=") {
            reader.take(3);
            let (start_line, start_column) = (reader.line, reader.column());
            let Some(expression) = reader.take_to("%>") else {
                return unclosed(self, "<%=", "%>");
            };
            self.end_text();
            self.out.push("\"\"\",0); req.write(str(");
            self.out.mark(reader.file, start_line, start_column);
            self.out.push(&expression.replace("\r\n", "\n").replace('\r', "\n"));
            self.out.push("),0); ");
            self.begin_text(reader);
        } else {
            return self.code(reader);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// Reads `<% code %>`.
    fn code(&mut self, reader: &mut Reader<'_>) -> Result<std::ops::ControlFlow<()>, Problem> {
        let line = reader.line;
        reader.take(2);
        self.end_text();
        self.out.push("\"\"\",0);");
        self.out.mark(reader.file, reader.line, reader.column());
        let (mut indent, mut is_in_first_line, mut is_after_colon) = ("", true, false);
        loop {
            let before = reader.take_until(b"%:\r\n");
            if !before.is_empty() {
                is_after_colon = false;
                self.out.push(before);
            }
            let rest = reader.rest();
            match rest.bytes().next() {
                None if reader.file == 0 => {
                    self.unclosed = Some(line);
                    return Ok(std::ops::ControlFlow::Break(()));
                }
                None => return Err(self.wrong(reader.file, line, "the tag <% is not closed: %> is missing")),
                Some(b'%') if rest.starts_with("%>") => break,
                Some(b'\r' | b'\n') => {
                    // A line that is empty ends the indentation, the rest of the last line does not
                    let is_whole = !rest.starts_with('\r') || rest.starts_with("\r\n");
                    reader.take(if rest.starts_with("\r\n") { 2 } else { 1 });
                    self.out.push("\n");
                    is_in_first_line = false;
                    // Behind a \r alone mod_python sees no indentation
                    let blanks = if is_whole { b" \t" as &[u8] } else { b"" };
                    let rest = reader.rest();
                    let count = rest.bytes().take_while(|byte| blanks.contains(byte)).count();
                    if count > 0 || !rest.starts_with("%>") {
                        indent = reader.take(count);
                        self.out.push(indent);
                    }
                }
                Some(other) => {
                    is_after_colon = other == b':';
                    self.out.push(reader.take(1));
                }
            }
        }
        reader.take(2);
        if is_in_first_line {
            self.out.push(";");
        }
        self.out.push(indent);
        if is_after_colon {
            self.out.push("\t");
        }
        self.begin_text(reader);
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// Begins the literal of what follows a tag.
    fn begin_text(&mut self, reader: &Reader<'_>) {
        self.out.mark(reader.file, reader.line, reader.column());
        self.out.push("req.write(\"\"\"");
    }

    /// Writes the literal's text; the quotes behind it are the caller's.
    fn end_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.out.push(&literal::closed(text, self.options.is_for_running));
    }

    /// Reads what stands in `<%@ … %>`. What is not an include is ignored, as mod_python does.
    fn directive(&mut self, file: usize, line: usize, text: &str) -> Result<(), Problem> {
        let Some(rest) = text.trim_start().strip_prefix("include") else { return Ok(()) };
        if !rest.starts_with(|next: char| next.is_ascii_whitespace()) {
            return Ok(());
        }
        match file_of(rest) {
            Some(name) => self.include(file, line, name),
            None => Err(self.wrong(file, line, "the include names no file: write <%@ include file=\"NAME\" %>")),
        }
    }

    fn include(&mut self, by: usize, line: usize, name: &str) -> Result<(), Problem> {
        let folder = if name.starts_with('/') { b"" } else { self.options.folder };
        let path = [folder, name.as_bytes()].concat();
        if let Some(at) = self.open.iter().position(|file| self.files[*file].name == path) {
            let names: Vec<_> = self.open[at..].iter().map(|file| shown(&self.files[*file].name)).collect();
            let names = names.join(" includes ");
            let sentence = format!("files include one another in a loop: {names} includes {}", shown(&path));
            return Err(self.wrong(by, line, sentence));
        }
        if self.open.len() > DEEPEST {
            let (by_name, name) = (shown(&self.files[by].name), shown(&path));
            let sentence = format!("files include one another more than {DEEPEST} deep: {by_name} includes {name}");
            return Err(self.wrong(by, line, sentence));
        }
        if self.files.len() > MOST_INCLUDES {
            let sentence = format!("the page has more than {MOST_INCLUDES} includes, those of its includes counted");
            return Err(self.wrong(by, line, sentence));
        }
        let bytes = (self.load)(&path).map_err(|LoadError(errno)| Problem::Include {
            file: path.clone(),
            errno,
            by: self.files[by].name.clone(),
            line,
        })?;
        let file = self.files.len();
        self.files.push(File { name: path, parent: by, parent_line: line });
        self.open.push(file);
        let text = self.checked(file, &bytes)?;
        // In the middle of a page it is no mark
        self.file(file, text.strip_prefix('\u{feff}').unwrap_or(text))?;
        self.open.pop();
        Ok(())
    }
}

fn shown(name: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// The name in `file="NAME"`, where other words may stand around it.
fn file_of(text: &str) -> Option<&str> {
    text.match_indices("file").find_map(|(at, word)| {
        let is_word = text[..at].ends_with(|before: char| before.is_ascii_whitespace());
        let rest = text[at + word.len()..].trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|quote| is_word && matches!(quote, '"' | '\''))?;
        rest[1..].split_once(quote).map(|(name, _)| name).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
