//! What is said not to compile, no server compiles.

use aofkit::analysis::rdb_inspection::check_library;
use libtest_mimic::Trial;

use crate::support::{Binary, LINES, Reply, Running, on_each, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let lines: Vec<_> = LINES.iter().copied().filter(|line| line.has_redis(7, 0)).collect();
    on_each(&lines, "libraries::texts_that_are_reported_are_refused", texts)
}

/// A library with all that the check knows: strings, comments, brackets and blocks.
const LIBRARY: &str = "#!lua name=lib
--[==[ a comment ]] ( ]==] -- ) end
local names = { 'it\\'s', \"(\", [[ long ( ]], [1 + 1] = ']' }
local function f(keys, args)
  for i = 1, #names do if i > 2 then return i elseif i == 2 then break else i = i + 1 end end
  while false do repeat local x = (1) until true end
  return names[1]
end
redis.register_function('f', f)
";

/// Each text is the library without one byte, or with one byte twice.
fn texts(binary: &Binary) {
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("the server starts");
    let mut load = |text: &[u8]| {
        let reply = server.client.call(&[b"FUNCTION", b"LOAD".as_slice(), b"REPLACE", text]);
        !matches!(reply, Reply::Error(_))
    };
    assert!(load(LIBRARY.as_bytes()) && check_library(LIBRARY.as_bytes()).is_ok());
    let (mut reported, mut refused) = (0, 0);
    for at in LIBRARY.find('\n').expect("a line") + 1..LIBRARY.len() {
        let mut shorter = LIBRARY.as_bytes().to_vec();
        let byte = shorter.remove(at);
        let mut longer = LIBRARY.as_bytes().to_vec();
        longer.insert(at, byte);
        for text in [shorter, longer] {
            let is_loaded = load(&text);
            refused += usize::from(!is_loaded);
            if let Err(fault) = check_library(&text) {
                reported += 1;
                assert!(!is_loaded, "{fault}: {}", String::from_utf8_lossy(&text));
            }
        }
    }
    assert!(reported > 50 && reported <= refused, "{reported} of {refused}");
}
