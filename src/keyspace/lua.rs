//! The part of Lua's syntax that can be checked without a parser: strings, comments, brackets and blocks that are not
//! closed.
//!
//! What is reported here no server compiles. What is not reported may have another error. Checked against the lexer of Lua
//! 5.1, `llex.c`, which every server has.

use std::fmt;

/// A place at which no server compiles a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxFault {
    /// The line, from 1.
    line: usize,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// Something was opened in this line and is not closed.
    Open(&'static str),
    /// Something is closed that is not open there.
    Stray(&'static str),
}

impl fmt::Display for SyntaxFault {
    /// A phrase without a final stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Open(what) => write!(f, "{what} in line {} is not closed", self.line),
            What::Stray(what) => write!(f, "{what} in line {} closes nothing", self.line),
        }
    }
}

/// What a text opens, and what closes it.
const PAIRS: [(&str, &str); 7] = [
    ("(", ")"),
    ("[", "]"),
    ("{", "}"),
    ("function", "end"),
    ("if", "end"),
    // Of WHILE and FOR too.
    ("do", "end"),
    ("repeat", "until"),
];

const STRING: &str = "a string";
const LONG_STRING: &str = "a long string or comment";

/// Returns the first place in `code` at which no server compiles it, as far as it is checked here. Lines are counted from
/// `line`.
pub(crate) fn syntax_fault(code: &[u8], line: usize) -> Option<SyntaxFault> {
    let mut lexer = Lexer { code, at: 0, line };
    let mut open: Vec<(usize, &'static str, &'static str)> = Vec::new();
    loop {
        let token = match lexer.token() {
            Ok(Some(token)) => token,
            Ok(None) => break,
            Err(fault) => return Some(fault),
        };
        // A token has no line end in it.
        let line = lexer.line;
        let text = std::str::from_utf8(token).unwrap_or_default();
        if let Some((opens, closes)) = PAIRS.iter().find(|(opens, _)| *opens == text) {
            open.push((line, opens, closes));
        } else if let Some((_, closes)) = PAIRS.iter().find(|(_, closes)| *closes == text) {
            match open.pop() {
                Some((.., expected)) if expected == *closes => {}
                Some((line, opens, _)) => {
                    return Some(SyntaxFault { line, what: What::Open(opens) });
                }
                None => return Some(SyntaxFault { line, what: What::Stray(closes) }),
            }
        }
    }
    open.pop().map(|(line, opens, _)| SyntaxFault { line, what: What::Open(opens) })
}

struct Lexer<'c> {
    code: &'c [u8],
    at: usize,
    line: usize,
}

impl<'c> Lexer<'c> {
    /// Returns the next name, keyword, number or other character, or `None` at the end.
    fn token(&mut self) -> Result<Option<&'c [u8]>, SyntaxFault> {
        while let Some(&byte) = self.code.get(self.at) {
            let rest = &self.code[self.at..];
            match byte {
                b'-' if rest.starts_with(b"--") => self.comment()?,
                b'"' | b'\'' => self.string(byte)?,
                b'[' if long_level(rest).is_some() => self.long(rest)?,
                b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                    let len = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
                    self.skip(len);
                    return Ok(Some(&rest[..len]));
                }
                _ if byte.is_ascii_whitespace() => self.skip(1),
                _ => {
                    self.skip(1);
                    return Ok(Some(&rest[..1]));
                }
            }
        }
        Ok(None)
    }

    fn skip(&mut self, len: usize) {
        let end = (self.at + len).min(self.code.len());
        self.line += memchr::memchr_iter(b'\n', &self.code[self.at..end]).count();
        self.at = end;
    }

    fn comment(&mut self) -> Result<(), SyntaxFault> {
        self.skip(2);
        let rest = &self.code[self.at..];
        if long_level(rest).is_some() {
            return self.long(rest);
        }
        self.skip(memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len()));
        Ok(())
    }

    /// Skips a string in quotes, which a line end closes only after a backslash.
    fn string(&mut self, quote: u8) -> Result<(), SyntaxFault> {
        let unclosed = SyntaxFault { line: self.line, what: What::Open(STRING) };
        let mut at = self.at + 1;
        loop {
            match self.code.get(at) {
                None | Some(b'\n' | b'\r') => return Err(unclosed),
                Some(b'\\') => at += 2,
                Some(byte) if *byte == quote => break,
                Some(_) => at += 1,
            }
        }
        self.skip(at + 1 - self.at);
        Ok(())
    }

    /// Skips a string or comment in long brackets, with which `rest` begins.
    fn long(&mut self, rest: &[u8]) -> Result<(), SyntaxFault> {
        let unclosed = SyntaxFault { line: self.line, what: What::Open(LONG_STRING) };
        let level = long_level(rest).unwrap_or_default();
        let end = [&b"]"[..], &vec![b'='; level], b"]"].concat();
        let closed = memchr::memmem::find(&rest[level + 2..], &end).ok_or(unclosed)?;
        self.skip(level + 2 + closed + end.len());
        Ok(())
    }
}

/// The number of `=` between two `[` with which `text` begins; `None` if it begins with no long bracket.
fn long_level(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"[")?;
    let level = inside.iter().position(|byte| *byte != b'=')?;
    (inside[level] == b'[').then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_text_has_no_fault() {
        for code in [
            "",
            "return 1",
            "redis.register_function('f', function(keys, args) return #keys end)",
            "if a then b() elseif c then d() else e() end",
            "while x do y() end for i = 1, 2 do repeat z() until i end",
            "local s = 'it\\'s' .. \"(\" .. [==[ ]] ( ]==] -- ( end\n",
            "--[[ function (\n ]] local t = { a[1], f{} , [ [[k]] ] = 1 }",
            "local n = 1e-5 .. '' local end_ = 3 local _do, iff = 1, 2",
            "local s = 'a\\\nb' local q = '\\\\'",
        ] {
            assert_eq!(syntax_fault(code.as_bytes(), 1), None, "{code}");
        }
    }

    #[test]
    fn unclosed_text_is_reported_with_its_line() {
        for (code, expected) in [
            ("f('f',function( return 1 end)", "( in line 2 is not closed"),
            ("x = 1\nfunction f()", "function in line 3 is not closed"),
            ("return 1 end", "end in line 2 closes nothing"),
            ("repeat x() end", "repeat in line 2 is not closed"),
            ("local s = 'abc\nd'", "a string in line 2 is not closed"),
            ("\n--[[ x", "a long string or comment in line 3 is not closed"),
            ("f(]", "( in line 2 is not closed"),
            ("'", "a string in line 2 is not closed"),
            ("'\\", "a string in line 2 is not closed"),
        ] {
            let fault = syntax_fault(code.as_bytes(), 2).expect(code);
            assert_eq!(fault.to_string(), expected, "{code}");
        }
    }
}
