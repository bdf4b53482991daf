//! The examples of a page of the manual: a block of code, and in a comment behind it what it is to answer.
//!
//! A block of Python, HTML or PSP is followed by `<!-- check`, lines, `-->`. The lines:
//!
//! | line | |
//! |---|---|
//! | `module NAME` | the module that the code is, `example` if not said |
//! | `after` | the code follows that of the example before it |
//! | `conf` | the last block of configuration above holds, `/srv/app` being the example's folder |
//! | `load NAME` | a module of httpd's that has to be loaded, `auth_digest` |
//! | `alone` | it needs a server of its own, not a virtual host |
//! | `+ LINE` | one more line of configuration, likewise |
//! | `file NAME`, then `\| LINE` | one more file |
//! | `> METHOD URL`, then `> Name: value`, `> \| BODY` | a request |
//! | `< STATUS`, then `< Name: value`, `< !Name` | its answer; a header that is not there |
//! | `= LINE` | the body, line by line |
//! | `~ TEXT` | a part of the body |
//! | `log TEXT` | a part of the error log |
//!
//! `<!-- try`, with the same lines, is an example that the page does not show: `file` and `+` make all of it. What it finds in the log, the
//! page has too.

/// The language of an example that the page does not show.
pub const TRIED: &str = "tried";

/// An example.
#[derive(Clone, Default)]
pub struct Example {
    /// Where it begins in its page.
    pub line: usize,
    pub language: String,
    pub code: String,
    pub module: String,
    pub configuration: Option<String>,
    pub alone: bool,
    pub modules: Vec<String>,
    pub more: Vec<String>,
    pub files: Vec<(String, String)>,
    pub exchanges: Vec<Exchange>,
    pub log: Vec<String>,
}

/// A request and what is said of its answer.
#[derive(Clone, Default)]
pub struct Exchange {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub status: u16,
    pub answered: Vec<(String, String)>,
    pub absent: Vec<String>,
    pub lines: Option<String>,
    pub parts: Vec<String>,
}

/// The examples of a page; in the error, what is wrong with it, by its lines.
pub fn examples(text: &str) -> Result<Vec<Example>, Vec<String>> {
    let mut found: Vec<Example> = Vec::new();
    let mut wrong = Vec::new();
    let mut configuration = None;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line == "<!-- try" {
            let mut example = Example { line: at + 1, language: TRIED.into(), ..Example::default() };
            example.read_all(lines.by_ref().map(|(_, line)| line), found.last(), None, &mut wrong);
            found.push(example);
            continue;
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let code = block.join("\n") + "\n";
        if language == "apache" {
            configuration = Some(code);
            continue;
        }
        if !["python", "html", "psp"].contains(&language) {
            continue;
        }
        while lines.next_if(|(_, line)| line.is_empty()).is_some() {}
        if lines.next_if(|(_, line)| *line == "<!-- check").is_none() {
            wrong.push(format!("line {}: the example has no check", at + 1));
            continue;
        }
        let mut example =
            Example { line: at + 1, language: language.into(), code, module: "example".into(), ..Example::default() };
        let check = lines.by_ref().map(|(_, line)| line);
        example.read_all(check, found.last(), configuration.as_deref(), &mut wrong);
        found.push(example);
    }
    match wrong.is_empty() {
        true => Ok(found),
        false => Err(wrong),
    }
}

impl Example {
    /// Reads the lines of its check, to the end of the comment.
    fn read_all<'t>(
        &mut self,
        lines: impl Iterator<Item = &'t str>,
        before: Option<&Example>,
        configuration: Option<&str>,
        wrong: &mut Vec<String>,
    ) {
        for line in lines.take_while(|line| *line != "-->") {
            if let Err(sentence) = self.read(line, before, configuration) {
                wrong.push(format!("line {}: {sentence}: {line}", self.line));
            }
        }
        if self.exchanges.is_empty() || self.exchanges.iter().any(|exchange| exchange.status == 0) {
            wrong.push(format!("line {}: a request or an answer is missing", self.line));
        }
    }

    fn read(&mut self, line: &str, before: Option<&Example>, configuration: Option<&str>) -> Result<(), &'static str> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        match word {
            "module" => self.module = rest,
            "after" => self.code = before.ok_or("there is none before it")?.code.clone() + "\n" + &self.code,
            "conf" => self.configuration = Some(configuration.ok_or("there is no configuration above")?.to_owned()),
            "alone" => self.alone = true,
            "load" => self.modules.push(rest),
            "+" => self.more.push(rest),
            "file" => self.files.push((rest, String::new())),
            "|" => self.files.last_mut().ok_or("of no file")?.1.push_str(&(rest + "\n")),
            "log" => self.log.push(rest),
            ">" => self.read_request(&rest)?,
            "<" | "=" | "~" => {
                self.exchanges.last_mut().ok_or("an answer without a request")?.read_answer(word, rest)?;
            }
            "" => {}
            _ => return Err("not understood"),
        }
        Ok(())
    }

    fn read_request(&mut self, text: &str) -> Result<(), &'static str> {
        let (word, rest) = text.split_once(' ').ok_or("not understood")?;
        if let Some(name) = word.strip_suffix(':') {
            let exchange = self.exchanges.last_mut().ok_or("of no request")?;
            exchange.headers.push((name.into(), rest.into()));
        } else if word == "|" {
            let exchange = self.exchanges.last_mut().ok_or("of no request")?;
            exchange.body.get_or_insert_default().push_str(&(rest.to_owned() + "\n"));
        } else {
            self.exchanges.push(Exchange { method: word.into(), url: rest.into(), ..Exchange::default() });
        }
        Ok(())
    }
}

impl Exchange {
    fn read_answer(&mut self, word: &str, rest: String) -> Result<(), &'static str> {
        match word {
            "=" => {
                let lines = self.lines.get_or_insert_default();
                if !lines.is_empty() {
                    lines.push('\n');
                }
                lines.push_str(&rest);
            }
            "~" => self.parts.push(rest),
            _ if self.status == 0 => self.status = rest.parse().map_err(|_| "the status is no number")?,
            _ => match (rest.strip_prefix('!'), rest.split_once(": ")) {
                (Some(name), _) => self.absent.push(name.into()),
                (None, Some((name, value))) => self.answered.push((name.into(), value.into())),
                (None, None) => return Err("not understood"),
            },
        }
        Ok(())
    }
}
