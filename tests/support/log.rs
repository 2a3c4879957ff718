//! Builders of commands and logs.

/// The arguments of a command, starting with its name.
pub(crate) type Args = Vec<Vec<u8>>;

/// Returns the whitespace-separated arguments of a line of text.
pub(crate) fn args(line: &str) -> Args {
    line.split_whitespace().map(|arg| arg.as_bytes().to_vec()).collect()
}

/// Returns a command in RESP, as clients send it and as logs store it.
pub(crate) fn command<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Returns a log of the commands, which are given one per line with whitespace-separated arguments.
pub(crate) fn log(commands: &str) -> Vec<u8> {
    commands.lines().flat_map(|line| command(&args(line))).collect()
}
