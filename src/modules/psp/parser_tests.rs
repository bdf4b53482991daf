use std::collections::HashMap;

use super::*;

fn page_with(files: &[(&str, &str)], text: &[u8], is_for_running: bool) -> Result<Page, Problem> {
    let files: HashMap<_, _> = files.iter().map(|(name, text)| (name.as_bytes().to_vec(), text.as_bytes())).collect();
    let mut load = |name: &[u8]| files.get(name).map(|text| text.to_vec()).ok_or(LoadError(libc_enoent()));
    parse(b"/page", text, Options { folder: b"/d/", is_for_running }, &mut load)
}

fn libc_enoent() -> i32 {
    2
}

fn source(text: &str) -> String {
    page_with(&[], text.as_bytes(), false).unwrap().source
}

fn problem(files: &[(&str, &str)], text: &[u8]) -> (String, usize, String) {
    match page_with(files, text, true).unwrap_err() {
        Problem::Syntax { file, line, sentence } => (shown(&file).into_owned(), line, sentence),
        Problem::Include { file, errno, by, line } => {
            (shown(&by).into_owned(), line, format!("{} {errno}", shown(&file)))
        }
    }
}

#[test]
fn text_is_written_on_the_lines_where_it_is() {
    assert_eq!(source(""), "");
    assert_eq!(source("hello\n"), "req.write(\"\"\"hello\n\"\"\",0)\n");
    assert_eq!(source("a\"b\r\nc\rd"), "req.write(\"\"\"a\\\"b\nc\rd\"\"\",0)\n");
    assert_eq!(source(r"a\n\r\t\x41\q\\"), "req.write(\"\"\"a\\\\n\\\\r\\\\t\\x41\\q\\\\\"\"\",0)\n");
    assert_eq!(source("a % b < c %> %"), "req.write(\"\"\"a % b < c %> %\"\"\",0)\n");
    assert_eq!(source("\u{feff}é"), "req.write(\"\"\"\u{feff}é\"\"\",0)\n");
}

#[test]
fn expressions_are_written_as_text() {
    assert_eq!(source("a<%= 1 %>b"), "req.write(\"\"\"a\"\"\",0); req.write(str( 1 ),0); req.write(\"\"\"b\"\"\",0)\n");
    assert_eq!(source("<%=x\r\ny%>"), "req.write(\"\"\"\"\"\",0); req.write(str(x\ny),0); req.write(\"\"\"\"\"\",0)\n");
}

/// What follows `req.write("""""",0);` up to the end of the text `T`.
fn after_code(text: &str) -> String {
    let source = source(text);
    source
        .strip_prefix("req.write(\"\"\"\"\"\",0);")
        .unwrap()
        .strip_suffix("req.write(\"\"\"T\"\"\",0)\n")
        .unwrap()
        .to_owned()
}

#[test]
fn text_is_indented_as_the_code_before_it() {
    assert_eq!(after_code("<%%>T"), ";");
    assert_eq!(after_code("<%  x=1 %>T"), "  x=1 ;");
    assert_eq!(after_code("<%  x=1\n%>T"), "  x=1\n");
    assert_eq!(after_code("<%\nfor i in r:\n  # begin\n%>T"), "\nfor i in r:\n  # begin\n  ");
    assert_eq!(after_code("<%\n  a\n\tb\n%>T"), "\n  a\n\tb\n\t");
    assert_eq!(after_code("<%\n  a\n  %>T"), "\n  a\n    ");
    assert_eq!(after_code("<%\n  a\nb\n%>T"), "\n  a\nb\n");
}

#[test]
fn an_empty_line_ends_the_indentation() {
    assert_eq!(after_code("<%\n  a\n\n%>T"), "\n  a\n\n");
    assert_eq!(after_code("<%\n  a\r\n\r\n%>T"), "\n  a\n\n");
    assert_eq!(after_code("<%\n  a\n\n  b\n%>T"), "\n  a\n\n  b\n  ");
    assert_eq!(after_code("<%\n  a\n \t\n%>T"), "\n  a\n \t\n \t");
}

#[test]
fn a_colon_at_the_end_adds_a_tab() {
    assert_eq!(after_code("<%if x:%>T"), "if x:;\t");
    assert_eq!(after_code("<%\n  if x:\n%>T"), "\n  if x:\n  \t");
    assert_eq!(after_code("<%\n  if x:\n\n\n%>T"), "\n  if x:\n\n\n\t");
    assert_eq!(after_code("<%\n  if x:\n \n%>T"), "\n  if x:\n \n \t");
    assert_eq!(after_code("<%\r\nif x:\r\n%>T"), "\nif x:\n\t");
    assert_eq!(after_code("<% if x: %>T"), " if x: ;");
    assert_eq!(after_code("<%\nif x: # why\n%>T"), "\nif x: # why\n");
    assert_eq!(after_code("<%\nif x: # why:\n%>T"), "\nif x: # why:\n\t");
}

#[test]
fn comments_and_other_directives_leave_nothing() {
    assert_eq!(source("a<%-- %> \n -- --%>b"), "req.write(\"\"\"ab\"\"\",0)\n");
    assert_eq!(source("a<%----%>b<%@ page x=\"y\" %>c<%@ included file=\"x\"%>d"), "req.write(\"\"\"abcd\"\"\",0)\n");
}

#[test]
fn what_is_not_closed_is_said() {
    for (text, tag) in [("a\n<%= x", "<%="), ("a\n<%-- x %>", "<%--"), ("a\n<%@ include file=\"x\"", "<%@")] {
        let (file, line, sentence) = problem(&[], text.as_bytes());
        assert_eq!((file.as_str(), line), ("/page", 2));
        assert!(sentence.starts_with(&format!("the tag {tag} is not closed")), "{sentence}");
    }
    // mod_python runs such code
    let page = page_with(&[], b"a\n<% x = 1\ny", false).unwrap();
    assert_eq!((page.source.as_str(), page.unclosed), ("req.write(\"\"\"a\n\"\"\",0); x = 1\ny", Some(2)));
    // of an included file, what follows it would be lost
    assert_eq!(problem(&[("/d/i", "\n\n<% x")], b"<%@ include file=\"i\" %>rest").1, 3);
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    assert_eq!(problem(&[], b"a\nb\0").1, 2);
    assert_eq!(problem(&[], b"a\nb\n<% \xff %>").1, 3);
    assert!(problem(&[], b"caf\xe9").2.starts_with("byte 0xe9 is not UTF-8"));
    assert_eq!(problem(&[("/d/i", "a\0")], b"\n<%@ include file=\"i\" %>").0, "/d/i");
}

#[test]
fn files_are_included_where_their_directive_is() {
    let files = [("/d/a", "A\n<%@include file='/e/b'%>\n"), ("/e/b", "\u{feff}B<% x\n  y\n%>bb")];
    let page = page_with(&files, b"1<%@ include file=\"a\" %>2<%= 3 %>", false).unwrap();
    assert_eq!(
        page.source,
        "req.write(\"\"\"1A\nB\"\"\",0); x\n  y\n  req.write(\"\"\"bb\n2\"\"\",0); req.write(str( 3 ),0); req.write(\"\"\"\"\"\",0)\n"
    );
    let names: Vec<_> = page.files.iter().map(|file| (shown(&file.name), file.parent, file.parent_line)).collect();
    assert_eq!(names, [("/page".into(), 0, 0), ("/d/a".into(), 0, 1), ("/e/b".into(), 1, 2)]);
}

#[test]
fn an_include_says_what_is_wrong_with_it() {
    assert_eq!(problem(&[], b"\n<%@ include file=\"no\" %>"), ("/page".into(), 2, "/d/no 2".into()));
    assert!(problem(&[], b"<%@ include no %>").2.starts_with("the include names no file"));
    assert!(problem(&[], b"<%@ include file=\"\" %>").2.starts_with("the include names no file"));
    let (file, line, sentence) = problem(
        &[("/d/a", "\n<%@ include file=\"b\" %>"), ("/d/b", "<%@ include file=\"a\" %>")],
        b"<%@ include file=\"a\" %>",
    );
    assert_eq!((file.as_str(), line), ("/d/b", 1));
    assert_eq!(sentence, "files include one another in a loop: /d/a includes /d/b includes /d/a");
}

#[test]
fn includes_are_bounded() {
    let deep = |name: &[u8]| Ok(format!("<%@ include file=\"{}x\" %>", shown(&name[3..])).into_bytes());
    let options = Options { folder: b"/d/", is_for_running: true };
    let Err(Problem::Syntax { sentence, .. }) = parse(b"/page", b"<%@ include file=\"x\" %>", options, &mut { deep })
    else {
        panic!("no error");
    };
    assert!(sentence.starts_with("files include one another more than 64 deep: /d/xx"), "{sentence}");
    let many: String = (0..30).map(|_| "<%@ include file=\"b\" %>").collect();
    let text: String = (0..30).map(|_| "<%@ include file=\"a\" %>").collect();
    let more: String = (0..30).map(|_| "<%@ include file=\"c\" %>").collect();
    let (.., sentence) = problem(&[("/d/a", &many), ("/d/b", &more), ("/d/c", "")], text.as_bytes());
    assert!(sentence.starts_with("the page has more than 10000 includes"), "{sentence}");
}

#[test]
fn a_page_can_be_long_but_not_without_end() {
    let line = "<p class=\"x\">\\n <%= value %></p> <% pass %>\n";
    let page = page_with(&[], line.repeat(10_000).as_bytes(), true).unwrap();
    assert_eq!(page.places.len(), 40_001);
    let long = "x".repeat(MOST_TEXT / 8);
    assert!(page_with(&[("/d/a", &long)], "<%@ include file=\"a\" %>".repeat(7).as_bytes(), true).is_ok());
    let (file, _, sentence) = problem(&[("/d/a", &long)], "<%@ include file=\"a\" %>".repeat(8).as_bytes());
    assert_eq!((file.as_str(), sentence.starts_with("the page has more than 4 MiB")), ("/d/a", true));
}

/// Where the source's `needle` comes from: file, line, column.
fn place(page: &Page, needle: &str) -> (usize, usize, usize) {
    let at = page.source.find(needle).unwrap();
    let line = 1 + page.source[..at].matches('\n').count();
    let column = at - page.source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let place = page.places.iter().rev().find(|place| (place.line, place.column) <= (line, column)).unwrap();
    match line - place.line {
        0 => (place.file, place.file_line, place.file_column + column - place.column),
        below => (place.file, place.file_line + below, column),
    }
}

#[test]
fn each_part_has_its_place_in_its_file() {
    let files = [("/d/a", "A\n<% inc\n luded %>\n")];
    let text = "a\n<%-- \r\n --%>b<%= one %>\r\n<% two\n  three %><%@ include file=\"a\" %>c<%= four %>";
    let page = page_with(&files, text.as_bytes(), true).unwrap();
    assert_eq!(place(&page, "one"), (0, 3, 10));
    assert_eq!(place(&page, "two"), (0, 4, 3));
    assert_eq!(place(&page, "three"), (0, 5, 2));
    assert_eq!(place(&page, "inc"), (1, 2, 3));
    assert_eq!(place(&page, "luded"), (1, 3, 1));
    assert_eq!(place(&page, "four"), (0, 5, 38));
    let page = page_with(&[], b"a\rb\r\r\nc<%= x %>", true).unwrap();
    assert_eq!(
        (page.source.as_str(), place(&page, "x").1),
        ("req.write(\"\"\"a\nb\nc\"\"\",0); req.write(str( x ),0); req.write(\"\"\"\"\"\",0)\n", 4)
    );
}

#[test]
fn any_bytes_are_read() {
    let parts: [&[u8]; 14] = [
        b"<%",
        b"%>",
        b"<%=",
        b"<%--",
        b"--%>",
        b"<%@ include file=\"a\" %>",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\\",
        b"\"",
        b"\xc3\xa9",
        b"\xff",
    ];
    let mut state: u64 = 42;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next(16)).flat_map(|_| parts[next(parts.len())].to_vec()).collect();
        if let Ok(page) = page_with(&[("/d/a", "x\n<% a:\n%>")], &text, true) {
            assert!(page.places.is_sorted_by_key(|place| (place.line, place.column)), "{text:?}");
        }
    }
}
