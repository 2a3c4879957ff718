//! Compares the check of the syntax of function libraries with what FUNCTION LOAD says.

use aofkit::base::server::{redis, valkey};
use aofkit::keyspace::lua;
use libtest_mimic::Trial;

use crate::support::{Binary, Random, Reply, Running, on_each, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let lines = [redis(7, 0), redis(8, 6), valkey(9, 1)];
    let mut trials = on_each(&lines, "lua::syntax_is_as_the_server_says", corpus);
    trials.extend(on_each(&lines, "lua::changed_texts_are_as_the_server_says", changed));
    trials
}

/// Texts of every construct, and of what is easily taken for one.
#[rustfmt::skip]
const CORPUS: &[&str] = &[
    "", ";", "return", "return;", "return 1, 2;", "return return", "return 1 local x", "x = 1; y = 2", "x = 1;; y = 2",
    "local x", "local x, y = 1", "local x = ", "local function f() end", "local function f.g() end", "local 1 = 2",
    "function f() end", "function f.g.h() end", "function f.g:h() end", "function f:g.h() end", "function f:g:h() end",
    "function f(a, b, ...) return ... end", "function f(...) return ... end", "function f(..., a) end", "function f(a,) end",
    "function f() return ... end", "function f(...) return function() return ... end end", "return ...", "f(...)",
    "if a then b() elseif c then d() else e() end", "if a then b() else c() elseif d then end", "if a b() end", "if a then",
    "while a do b() end", "while a b() end", "while a do break end", "while a do break; end", "while a do break x() end",
    "break", "if a then break end", "while a do if b then break end end", "while a do local f = function() break end end",
    "repeat break until x", "repeat local a = 1 until a", "repeat x() end", "do break end", "do end", "do return end x()",
    "do return end", "for i = 1, 2 do end", "for i = 1, 2, 3 do end", "for i = 1 do end", "for i = 1, 2, 3, 4 do end",
    "for i, j in pairs(t) do end", "for i in a, b, c, d do end", "for i, j = 1, 2 do end", "for in x do end", "for a.b in c do end",
    "a.b.c = 1", "a[1][2] = 3", "a().b = 1", "a() = 1", "(a) = 1", "(a).b = 1", "a, b = b, a", "a, b() = 1, 2", "a", "a.b", "a[1]",
    "a:b()", "a:b", "a:b = 1", "a'b'", "a\"b\"", "a[[b]]", "a{1}", "a:b'c'", "a:b{}", "a 1", "a nil", "a.b.c:d(1, 2, 3)", "a()()()",
    "a\n(b)", "a\n(b).c = 1", "a(\nb)", "a:b\n(c)", "a\n'b'", "a\n{b}", "local x = a\n(b)()", "a [[\n]] (b)", "('x'):rep(2)", "'x':rep(2)",
    "x = {}", "x = {1, 2, 3}", "x = {1, 2, 3,}", "x = {1; 2; 3;}", "x = {,}", "x = {1,,2}", "x = {a = 1, ['b'] = 2, 3}", "x = {a.b = 1}",
    "x = {[1] 2}", "x = {a == 1}", "x = {f(), ...}", "x = {a b}", "x = {'a' = 1}", "x = {function() end}", "x = {[{}] = {}}",
    "x = 1 + 2 * 3 ^ 4 .. 5", "x = not not a", "x = - - a", "x = #a", "x = # # a", "x = a and b or c", "x = a == b ~= c < d <= e > f >= g",
    "x = a % b", "x = a // b", "x = a & b", "x = a | b", "x = a << b", "x = a >> b", "x = ~a", "x = a ~ b", "x = a != b", "x = !a",
    "x = a += 1", "a += 1", "a++", "x = a ? b : c", "x = a ~= b", "x = a =~ b", "x = a = b", "x == 1", "x = (1", "x = 1)", "x = ()",
    "x = 1", "x = 1.", "x = .5", "x = .", "x = 1.5e3", "x = 1e", "x = 1e+", "x = 1E-5", "x = 1e5.5", "x = 1..2", "x = 1 ..2", "x = 1.. 2",
    "x = 1.2.3", "x = 3x", "x = 3_", "x = 0x", "x = 0x10", "x = 0XaF", "x = 0xg", "x = 0x1.8", "x = 0x1p4", "x = 0x1p", "x = 0x1p+4", "x = 0xep1",
    "x = 0xe+1", "x = 0x1e5", "x = 08", "x = 1LL", "x = 1i", "x = 0b1", "x = 0o7", "x = 1e5e5", "x = 1a", "x = 1and 2", "x = 1or 2", "x = 5.e1",
    "x = .5e1", "x = .e1", "x = 00.10", "x = 0x0p0", "x = 1e400", "x = 0x1P5", "x = 12345678901234567890123",
    "x = 'a'", "x = \"a\"", "x = 'a", "x = 'a\nb'", "x = 'a\\\nb'", "x = 'a\\\r\nb'", "x = 'a\\nb'", "x = '\\z  a'", "x = '\\z\n a'", "x = '\\x41'",
    "x = '\\u{41}'", "x = '\\065'", "x = '\\255'", "x = '\\256'", "x = '\\999'", "x = '\\1'", "x = '\\12a'", "x = '\\q'", "x = '\\'", "x = '\\''",
    "x = \"\\\"\"", "x = '\\\\'", "x = '\"'", "x = 'a\0b'", "x = '\\\0'", "x = 'ä'", "x = '\u{1}'", "x = '\r'",
    "x = [[a]]", "x = [[a\nb]]", "x = [==[a]]b]==]", "x = [=[a]==]b]=]", "x = [[a", "x = [=[a]]", "x = [=a]", "x = [==", "x = [a]",
    "x = [[a[[b]]", "x = [=[a[[b]]]=]", "x = [=[a[=[b]=]", "x = [[a[b]]", "x = [[a]=]]", "x = [[]]", "x = [[]]]", "x = a[[[b]]]", "x = a[b[1]]",
    "x = [[a]=]=]]", "x = [===[]==]]===]", "x = [[\r\n]]", "x = [[\0]]",
    "-- a", "--[[ a ]]", "--[[ a\nb ]] x = 1", "--[==[ a ]] ]==] x()", "--[[ a", "--[=[ a ]]", "--[ a", "--[= a", "--[[ [[ ]]", "--", "--\r\nx()",
    "---[[ a\nx()", "--[[]]x()--", "x() -- y(", "- a", "x = a--[[b]]+c", "--\0\nx()",
    "goto = 1", "goto a", "::a::", "goto continue ::continue::", "local goto = 2", "continue = 1", "local continue", "continue", "end", "then", "nil = 1",
    "local end = 1", "x.end = 1", "x.goto = 1", "true = 1", "x = nil", "x = function() end", "x = function f() end", "function() end", "x = function(a) return a end(1)",
    "(function() end)()", "x = (function() return 1 end)()", "local x <const> = 1", "local x <close> = 1", "x = <1>", "@a", "$a", "x = a@b", "`a`", "\\a", "a\\",
    "x = a?", "x = #", "x = -", "x = not", "x = 1 +", "x = + 1", "x = a..", "x = ..a", "x = ...a", "x = a...b", "x = a . b", "a . b . c()", "a : b ()", "x = a.1", "x = a.'b'",
    "ä = 1", "x = ä", "_ = 1", "_a1 = 2", "1a = 2", "x\0", "\0", "x = 1\0", "x\u{b}=\u{c}1", "\u{a0}x = 1", "\u{feff}x = 1", "x = 1 -- \u{feff}", "#!lua", "# x",
    "x = a and", "x = and a", "x = a or or b", "local a = {} a.b, a.c = 1, 2", "local a; a.b()", "f{...}{...}'a'", "if (a) then (b)() end", "if a then ; end", "while true do ; end",
    "do ; end", "function f() ; end", "return function() return end", "return (a)", "return (a), b", "return a, ", "return a b", "do return 1 end;", "do local x end", "elseif", "until x",
    "import x", "class A {}", "let x = 1", "const x = 1", "var x", "def f(): pass", "x := 1", "// a", "/* a */", "function f() { return 1 }", "redis.call('SET', KEYS[1], ARGV[1])",
    "return redis.call('GET', KEYS[1]) == nil and 0 or tonumber(ARGV[1]) + 1", "local t = {n = 0, [1] = 'a'; 'b', f = function(self, ...) self.n = select('#', ...) end}",
];

fn load(server: &mut Running, text: &[u8]) -> Option<String> {
    let code = [b"#!lua name=x\n", text].concat();
    let args: [&[u8]; 4] = [b"FUNCTION", b"LOAD", b"REPLACE", &code];
    let reply = server.client.try_call(&args);
    match reply.unwrap_or_else(|error| panic!("{}: {error}; {}", text.escape_ascii(), server.log()))
    {
        Reply::Error(error) if error.contains("Error compiling function") => Some(error),
        _ => None,
    }
}

/// Compares both, and returns whether the text is valid.
fn compare(server: &mut Running, text: &[u8], differences: &mut Vec<String>) -> bool {
    let library = [b"\n", text].concat();
    let (ours, theirs) = (lua::check(&library).err(), load(server, text));
    // Servers differ in where a text with a zero byte ends.
    let agree = ours.is_some() == theirs.is_some() || ours.is_none() && text.contains(&0);
    if !agree {
        differences.push(format!("{}: {ours:?}, {theirs:?}", text.escape_ascii()));
    }
    theirs.is_none()
}

fn corpus(binary: &Binary) {
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("it starts");
    let mut differences = Vec::new();
    for text in CORPUS {
        compare(&mut server, text.as_bytes(), &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Joins texts of the corpus, and leaves out, repeats or exchanges parts of them.
fn changed(binary: &Binary) {
    const TEXTS: u64 = 10_000;
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("it starts");
    let mut differences = Vec::new();
    let mut valid = 0;
    let mut random = Random::new(15);
    let mut any = |below: usize| usize::try_from(random.below(below as u64)).expect("an index");
    for _ in 0..TEXTS {
        let text = |any: &mut dyn FnMut(usize) -> usize| CORPUS[any(CORPUS.len())].as_bytes();
        let mut bytes = [text(&mut any), b" ", text(&mut any), b"\n", text(&mut any)].concat();
        for _ in 0..any(3) {
            let (from, other) = (any(bytes.len()), text(&mut any));
            let to = (from + any(4)).min(bytes.len());
            let part = any(other.len() + 1);
            bytes.splice(from..to, other[..part].iter().copied());
            bytes.push(b' ');
        }
        // A reply ends at the first line end that it quotes.
        bytes.retain(|byte| *byte != b'\r');
        valid += u32::from(compare(&mut server, &bytes, &mut differences));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(valid >= 500, "only {valid} are valid");
}
