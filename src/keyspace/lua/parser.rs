//! The grammar of Lua 5.1.

use super::lexer::{Lexer, SyntaxError, Token};

/// The depth of nesting up to which a text is checked. The servers' compilers stop at 200.
const DEEPEST: u32 = 150;

/// Checks the syntax of a text.
///
/// # Errors
///
/// Returns the first error. A text that is nested deeper than 150 levels has none: it is not checked to the end. Nor is
/// one with a zero byte, at which some servers end it.
pub fn check(text: &[u8]) -> Result<(), SyntaxError> {
    if memchr::memchr(0, text).is_some() {
        return Ok(());
    }
    let mut parser = Parser::new(text)?;
    match parser.main() {
        Ok(()) | Err(Stop::TooDeep) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// Why parsing stopped.
enum Stop {
    Error(SyntaxError),
    TooDeep,
}

impl From<SyntaxError> for Stop {
    fn from(error: SyntaxError) -> Self {
        Stop::Error(error)
    }
}

type Parsed<T = ()> = Result<T, Stop>;

/// The kind of an expression that may begin a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Variable,
    Call,
    /// In parentheses.
    Value,
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    token: Token,
    /// The line on which the token before ended.
    last_line: u64,
    depth: u32,
    /// The number of loops around the current statement, in the current function.
    loops: u32,
    /// Whether the current function takes `...`.
    is_vararg: bool,
}

impl<'s> Parser<'s> {
    fn new(text: &'s [u8]) -> Result<Self, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Parser { lexer, token, last_line: 1, depth: 0, loops: 0, is_vararg: true })
    }

    fn advance(&mut self) -> Parsed {
        self.last_line = self.lexer.line;
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn error<T>(&self, rule: &'static str) -> Parsed<T> {
        Err(Stop::Error(SyntaxError { line: self.lexer.line, rule }))
    }

    fn is(&self, sign: &'static str) -> bool {
        self.token == Token::Sign(sign)
    }

    /// Steps over a sign if it is next.
    fn accept(&mut self, sign: &'static str) -> Parsed<bool> {
        let is_next = self.is(sign);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, sign: &'static str, rule: &'static str) -> Parsed {
        if self.accept(sign)? { Ok(()) } else { self.error(rule) }
    }

    fn name(&mut self) -> Parsed {
        if self.token == Token::Name { self.advance() } else { self.error("a name is expected") }
    }

    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::TooDeep);
        }
        parse(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn main(&mut self) -> Parsed {
        self.chunk()?;
        if self.token == Token::End {
            Ok(())
        } else {
            self.error("the end of the text is expected")
        }
    }

    fn ends_block(&self) -> bool {
        self.token == Token::End
            || ["else", "elseif", "end", "until"].into_iter().any(|sign| self.is(sign))
    }

    /// Parses statements up to the end of the block, of which `return` and `break` are the last.
    fn chunk(&mut self) -> Parsed {
        self.deeper(|parser| {
            let mut is_last = false;
            while !is_last && !parser.ends_block() {
                is_last = parser.statement()?;
                parser.accept(";")?;
            }
            Ok(())
        })
    }

    /// Parses a statement, and returns whether it has to be the last of its block.
    fn statement(&mut self) -> Parsed<bool> {
        let Token::Sign(sign) = self.token else {
            self.expression_statement()?;
            return Ok(false);
        };
        match sign {
            "if" => self.branches()?,
            "while" => {
                self.advance()?;
                self.expression()?;
                self.loop_body()?;
            }
            "do" => {
                self.advance()?;
                self.chunk()?;
                self.expect("end", "`end` is expected")?;
            }
            "for" => self.for_loop()?,
            "repeat" => {
                self.advance()?;
                self.in_loop()?;
                self.expect("until", "`until` is expected")?;
                self.expression()?;
            }
            "function" => {
                self.advance()?;
                self.name()?;
                while self.accept(".")? {
                    self.name()?;
                }
                if self.accept(":")? {
                    self.name()?;
                }
                self.function_body()?;
            }
            "local" => self.local()?,
            "return" => {
                self.advance()?;
                if !self.ends_block() && !self.is(";") {
                    self.expressions()?;
                }
                return Ok(true);
            }
            "break" => {
                self.advance()?;
                if self.loops == 0 {
                    return self.error("no loop to break");
                }
                return Ok(true);
            }
            _ => self.expression_statement()?,
        }
        Ok(false)
    }

    fn branches(&mut self) -> Parsed {
        loop {
            self.advance()?;
            self.expression()?;
            self.expect("then", "`then` is expected")?;
            self.chunk()?;
            if !self.is("elseif") {
                break;
            }
        }
        if self.accept("else")? {
            self.chunk()?;
        }
        self.expect("end", "`end` is expected")
    }

    fn in_loop(&mut self) -> Parsed {
        self.loops += 1;
        self.chunk()?;
        self.loops -= 1;
        Ok(())
    }

    fn loop_body(&mut self) -> Parsed {
        self.expect("do", "`do` is expected")?;
        self.in_loop()?;
        self.expect("end", "`end` is expected")
    }

    fn for_loop(&mut self) -> Parsed {
        self.advance()?;
        self.name()?;
        if self.accept("=")? {
            self.expression()?;
            self.expect(",", "`,` is expected")?;
            self.expression()?;
            if self.accept(",")? {
                self.expression()?;
            }
        } else {
            while self.accept(",")? {
                self.name()?;
            }
            self.expect("in", "`=` or `in` is expected")?;
            self.expressions()?;
        }
        self.loop_body()
    }

    fn local(&mut self) -> Parsed {
        self.advance()?;
        if self.accept("function")? {
            self.name()?;
            return self.function_body();
        }
        self.name()?;
        while self.accept(",")? {
            self.name()?;
        }
        if self.accept("=")? { self.expressions() } else { Ok(()) }
    }

    /// Parses a call, or an assignment to one or more variables.
    fn expression_statement(&mut self) -> Parsed {
        let mut prefix = self.prefix_expression()?;
        if prefix == Prefix::Call {
            return Ok(());
        }
        loop {
            if prefix != Prefix::Variable {
                return self.error("neither a call nor an assignment");
            }
            if !self.accept(",")? {
                break;
            }
            prefix = self.prefix_expression()?;
        }
        self.expect("=", "`=` is expected")?;
        self.expressions()
    }

    fn expressions(&mut self) -> Parsed {
        self.expression()?;
        while self.accept(",")? {
            self.expression()?;
        }
        Ok(())
    }

    /// Parses operands with operators before and between them. Their precedence makes no difference to the syntax.
    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| {
            loop {
                while ["not", "-", "#"].into_iter().any(|sign| parser.is(sign)) {
                    parser.advance()?;
                }
                parser.operand()?;
                if !parser.is_between() {
                    return Ok(());
                }
                parser.advance()?;
            }
        })
    }

    /// Returns whether the token is an operator between two operands.
    fn is_between(&self) -> bool {
        const OPERATORS: [&str; 15] =
            ["+", "-", "*", "/", "%", "^", "..", "~=", "==", "<", "<=", ">", ">=", "and", "or"];
        OPERATORS.into_iter().any(|sign| self.is(sign))
    }

    fn operand(&mut self) -> Parsed {
        match self.token {
            Token::Number | Token::Text | Token::Sign("nil" | "true" | "false") => self.advance(),
            Token::Sign("...") if !self.is_vararg => {
                self.error("`...` outside a function that takes it")
            }
            Token::Sign("...") => self.advance(),
            Token::Sign("{") => self.table(),
            Token::Sign("function") => {
                self.advance()?;
                self.function_body()
            }
            _ => self.prefix_expression().map(drop),
        }
    }

    fn prefix_expression(&mut self) -> Parsed<Prefix> {
        let mut prefix = match self.token {
            Token::Name => {
                self.advance()?;
                Prefix::Variable
            }
            Token::Sign("(") => {
                self.advance()?;
                self.expression()?;
                self.expect(")", "`)` is expected")?;
                Prefix::Value
            }
            _ => return self.error("unexpected symbol"),
        };
        loop {
            prefix = match self.token {
                Token::Sign(".") => {
                    self.advance()?;
                    self.name()?;
                    Prefix::Variable
                }
                Token::Sign("[") => {
                    self.index()?;
                    Prefix::Variable
                }
                Token::Sign(":") => {
                    self.advance()?;
                    self.name()?;
                    self.arguments()?;
                    Prefix::Call
                }
                Token::Text | Token::Sign("(" | "{") => {
                    self.arguments()?;
                    Prefix::Call
                }
                _ => return Ok(prefix),
            };
        }
    }

    fn index(&mut self) -> Parsed {
        self.advance()?;
        self.expression()?;
        self.expect("]", "`]` is expected")
    }

    fn arguments(&mut self) -> Parsed {
        match self.token {
            Token::Text => self.advance(),
            Token::Sign("{") => self.table(),
            Token::Sign("(") if self.lexer.line != self.last_line => {
                self.error("ambiguous: a call, or a new statement")
            }
            Token::Sign("(") => {
                self.advance()?;
                if !self.is(")") {
                    self.expressions()?;
                }
                self.expect(")", "`)` is expected")
            }
            _ => self.error("arguments are expected"),
        }
    }

    fn table(&mut self) -> Parsed {
        self.deeper(|parser| {
            parser.advance()?;
            while !parser.is("}") {
                parser.table_field()?;
                if !parser.accept(",")? && !parser.accept(";")? {
                    break;
                }
            }
            parser.expect("}", "`}` is expected")
        })
    }

    fn table_field(&mut self) -> Parsed {
        if self.is("[") {
            self.index()?;
        } else if self.token == Token::Name && self.lexer.clone().next()? == Token::Sign("=") {
            self.advance()?;
        } else {
            return self.expression();
        }
        self.expect("=", "`=` is expected")?;
        self.expression()
    }

    /// Parses the parameters and the body of a function.
    fn function_body(&mut self) -> Parsed {
        self.expect("(", "`(` is expected")?;
        let mut is_vararg = false;
        if !self.is(")") {
            loop {
                is_vararg = self.accept("...")?;
                if !is_vararg {
                    self.name()?;
                }
                if is_vararg || !self.accept(",")? {
                    break;
                }
            }
        }
        self.expect(")", "`)` is expected")?;
        let outer = (self.loops, self.is_vararg);
        (self.loops, self.is_vararg) = (0, is_vararg);
        self.chunk()?;
        (self.loops, self.is_vararg) = outer;
        self.expect("end", "`end` is expected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Option<(u64, &'static str)> {
        check(text.as_bytes()).err().map(|error| (error.line, error.rule))
    }

    #[test]
    fn errors_are_reported_with_their_line() {
        assert_eq!(error("\nlocal x = 1\nif x then\nreturn 2"), Some((4, "`end` is expected")));
        assert_eq!(error("x = 3x"), Some((1, "malformed number")));
        assert_eq!(error("\n\nx = 'a\n'"), Some((3, "unfinished string")));
        assert_eq!(error("return function(a, b) return a[b].c:d{1, e = 2; ['f'] = 3}\nend"), None);
    }

    #[test]
    fn deep_nesting_ends_the_check_without_an_error() {
        for (open, close) in [("(", ")"), ("{", "}"), ("function() return ", " end")] {
            let nested =
                |depth: usize| format!("return {}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(error(&nested(40)), None);
            assert_eq!(error(&nested(100_000)), None);
            assert!(error(&nested(40)[..60]).is_some());
        }
    }
}
