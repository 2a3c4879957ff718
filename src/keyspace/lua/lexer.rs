//! The tokens of Lua 5.1.

use std::fmt;

/// An error of syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub rule: &'static str,
}

impl fmt::Display for SyntaxError {
    /// A phrase without a final stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.rule)
    }
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The end of the text.
    End,
    Name,
    Number,
    Text,
    /// A keyword, operator or punctuation mark.
    Sign(&'static str),
    /// A character that begins no token.
    Other,
}

const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Punctuation and operators; of several that fit, the longest comes first. `[`, which may begin a text, `.`, which may
/// begin a number, and `-`, which may begin a comment, are handled before.
const SIGNS: [&str; 26] = [
    "...", "..", "==", "<=", ">=", "~=", "=", "<", ">", "+", "*", "/", "%", "^", "#", "(", ")",
    "{", "}", "]", ";", ":", ",", ".", "-", "[",
];

/// Reads tokens, and counts lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'s> {
    text: &'s [u8],
    at: usize,
    /// The current line, from 1.
    pub(super) line: u64,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(text: &'s [u8]) -> Self {
        Lexer { text, at: 0, line: 1 }
    }

    fn rest(&self) -> &'s [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn error<T>(&self, rule: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { line: self.line, rule })
    }

    /// Returns the next token.
    pub(super) fn next(&mut self) -> Result<Token, SyntaxError> {
        loop {
            match *self.rest() {
                [] => return Ok(Token::End),
                [b'\n' | b'\r', ..] => self.newline(),
                // The white space of the C locale.
                [b' ' | b'\t' | 0x0b | 0x0c, ..] => self.at += 1,
                [b'-', b'-', ..] => self.comment()?,
                [b'[', ..] => return self.bracket(),
                [quote @ (b'"' | b'\''), ..] => return self.quoted(quote),
                [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => return self.number(),
                [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => return Ok(self.word()),
                _ => return Ok(self.sign()),
            }
        }
    }

    /// Steps over a line end, which may be of two different characters.
    fn newline(&mut self) {
        self.at += match *self.rest() {
            [b'\n', b'\r', ..] | [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        self.line += 1;
    }

    fn sign(&mut self) -> Token {
        let rest = self.rest();
        match SIGNS.iter().find(|sign| rest.starts_with(sign.as_bytes())) {
            Some(sign) => {
                self.at += sign.len();
                Token::Sign(sign)
            }
            None => {
                self.at += 1;
                Token::Other
            }
        }
    }

    fn word(&mut self) -> Token {
        let word = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let keyword = KEYWORDS.iter().find(|keyword| keyword.as_bytes() == word);
        keyword.map_or(Token::Name, |keyword| Token::Sign(keyword))
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'s [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|byte| !accept(*byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        self.take_while(|byte| byte.is_ascii_digit() || byte == b'.');
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
        }
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match is_number(&self.text[start..self.at]) {
            true => Ok(Token::Number),
            false => self.error("malformed number"),
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Token, SyntaxError> {
        const UNFINISHED: &str = "unfinished string";
        self.at += 1;
        loop {
            match *self.rest() {
                [] | [b'\n' | b'\r', ..] => return self.error(UNFINISHED),
                [b'\\', b'\n' | b'\r', ..] => {
                    self.at += 1;
                    self.newline();
                }
                [b'\\', b'0'..=b'9', ..] => {
                    self.at += 1;
                    let digits =
                        self.rest().iter().take(3).take_while(|byte| byte.is_ascii_digit());
                    let (len, code) = digits.fold((0, 0), |(len, code), digit| {
                        (len + 1, code * 10 + u32::from(digit - b'0'))
                    });
                    if code > 255 {
                        return self.error("escape sequence too large");
                    }
                    self.at += len;
                }
                // Any other character stands for itself.
                [b'\\', _, ..] => self.at += 2,
                [byte, ..] => {
                    self.at += 1;
                    if byte == quote {
                        return Ok(Token::Text);
                    }
                }
            }
        }
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        self.at += 2;
        if self.peek() == Some(b'[') {
            let (level, opens) = self.level();
            if opens {
                return self.long(level, "unfinished long comment");
            }
        }
        self.take_while(|byte| !matches!(byte, b'\n' | b'\r'));
        Ok(())
    }

    fn bracket(&mut self) -> Result<Token, SyntaxError> {
        match self.level() {
            (level, true) => {
                self.long(level, "unfinished long string")?;
                Ok(Token::Text)
            }
            (0, false) => Ok(Token::Sign("[")),
            _ => self.error("invalid long string delimiter"),
        }
    }

    /// Steps over a bracket and the equals signs after it. Returns their number, and whether the same bracket follows,
    /// which is not stepped over.
    fn level(&mut self) -> (usize, bool) {
        let bracket = self.peek();
        self.at += 1;
        let level = self.take_while(|byte| byte == b'=').len();
        (level, self.peek() == bracket && bracket.is_some())
    }

    /// Reads a text or comment in long brackets from the second opening bracket on.
    fn long(&mut self, level: usize, unfinished: &'static str) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.error(unfinished),
                Some(b'\n' | b'\r') => self.newline(),
                Some(b']') => {
                    if self.level() == (level, true) {
                        self.at += 1;
                        return Ok(());
                    }
                }
                Some(_) => self.at += 1,
            }
        }
    }
}

/// Returns whether C's `strtod` reads all of the text: a decimal number, or a hexadecimal one, which may have a binary
/// exponent.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if let [b'0', b'x' | b'X', hex @ ..] = text {
        let mut parts = hex.splitn(2, |byte| matches!(byte, b'p' | b'P'));
        let mantissa = parts.next().unwrap_or_default();
        return !mantissa.is_empty()
            && mantissa.iter().all(u8::is_ascii_hexdigit)
            && parts.next().is_none_or(digits);
    }
    let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let mantissa = parts.next().unwrap_or_default();
    let exponent = parts.next().map(|text| match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    });
    let points = mantissa.iter().filter(|byte| **byte == b'.').count();
    mantissa.iter().any(u8::is_ascii_digit)
        && points <= 1
        && mantissa.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && exponent.is_none_or(digits)
}
