//! Compares what is printed with `--json` with docs/json.md: every field must be in a table there, with a value of the
//! type that the table states.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A row of a table: the documentation of a field.
struct Row {
    /// The alternatives of its type.
    types: Vec<String>,
    /// Whether it can be absent.
    optional: bool,
    meaning: String,
}

type Table = BTreeMap<String, Row>;

/// The tables of docs/json.md, and the fields that were found in the output.
pub(crate) struct Docs {
    tables: BTreeMap<String, Table>,
    seen: RefCell<BTreeSet<(String, String)>>,
}

impl Docs {
    pub(crate) fn read() -> Docs {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md");
        let text = std::fs::read_to_string(path).expect("docs/json.md");
        let mut tables = BTreeMap::<String, Table>::new();
        let mut title = String::new();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("### ") {
                title = heading.to_owned();
                assert!(tables.insert(title.clone(), Table::new()).is_none(), "`{title}` twice");
            } else if let Some(row) = line.strip_prefix("| `") {
                let cells: Vec<&str> = row.splitn(3, " | ").collect();
                let [field, kind, meaning] = cells[..] else { panic!("{line}") };
                let kind = kind.trim();
                let row = Row {
                    types: kind.trim_end_matches(", optional").split(" or ").map(name_of).collect(),
                    optional: kind.ends_with(", optional"),
                    meaning: meaning.to_owned(),
                };
                assert!(!meaning.trim_matches(['|', ' ']).is_empty(), "no meaning: {line}");
                let field = field.trim_end_matches('`').to_owned();
                let table = tables.get_mut(&title).expect("a table below a heading");
                assert!(table.insert(field, row).is_none(), "{line} twice");
            }
        }
        Docs { tables, seen: RefCell::default() }
    }

    /// Checks everything on stdout: a document, or lines. Returns the name of the report.
    pub(crate) fn check(&self, stdout: &str) -> String {
        let found = self.find_undocumented(stdout);
        match found {
            Ok(report) => report,
            Err(problem) => panic!("{problem}\n{stdout}"),
        }
    }

    /// Returns the name of the report, or the first difference to the documentation.
    pub(crate) fn find_undocumented(&self, stdout: &str) -> Result<String, String> {
        let name = |value: &Value| value["report"].as_str().map(str::to_owned);
        if let Ok(document) = serde_json::from_str::<Value>(stdout) {
            let report = name(&document).ok_or("no name of a report")?;
            self.object(&["envelope", &report], &document, &report)?;
            return Ok(report);
        }
        let mut report = String::new();
        for line in stdout.lines() {
            let value: Value =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            let kind = value["kind"].as_str().ok_or("no kind")?;
            if let Some(begun) = name(&value) {
                let tables =
                    if begun == "error" { ["envelope", "error"] } else { ["envelope", "line"] };
                self.object(&tables, &value, &begun)?;
                report = if report.is_empty() { begun } else { report };
                continue;
            }
            let table = match (report.as_str(), kind) {
                ("diff", "summary") => "diff".to_owned(),
                ("log", "command" | "rdb") => "log: command and rdb".to_owned(),
                (report, kind) => format!("{report}: {kind}"),
            };
            let tables = ["line", table.as_str()];
            self.object(
                if report == "log" && kind != "summary" { &tables[1..] } else { &tables },
                &value,
                &table,
            )?;
        }
        Ok(report)
    }

    /// Checks an object, whose fields are those of all these tables.
    fn object(&self, tables: &[&str], value: &Value, path: &str) -> Result<(), String> {
        let Some(object) = value.as_object() else { return Err(format!("{path}: not an object")) };
        let mut known = BTreeMap::new();
        for title in tables {
            let table = self.tables.get(*title).ok_or(format!("{path}: no table `{title}`"))?;
            known.extend(table.iter().map(|(field, row)| (field, (title, row))));
        }
        for (field, value) in object {
            let path = format!("{path}.{field}");
            let (title, row) = known.get(field).ok_or(format!("{path}: not documented"))?;
            self.value(row, value, &path)?;
            self.seen.borrow_mut().insert(((**title).to_owned(), field.clone()));
        }
        for (field, (_, row)) in known {
            // Fields of only some kinds of an object name these kinds.
            let is_conditional = row.optional || row.meaning.contains("(`");
            if !is_conditional && !object.contains_key(field) {
                return Err(format!("{path}.{field}: absent, but not optional"));
            }
        }
        Ok(())
    }

    fn value(&self, row: &Row, value: &Value, path: &str) -> Result<(), String> {
        let mut problem = format!("{path}: {value} is not {}", row.types.join(" or "));
        for kind in &row.types {
            match self.has_type(kind, row, value, path) {
                Ok(()) => return Ok(()),
                Err(Some(inner)) => problem = inner,
                Err(None) => {}
            }
        }
        Err(problem)
    }

    /// Returns the reason if the value is an object of this type but not a documented one.
    fn has_type(
        &self,
        kind: &str,
        row: &Row,
        value: &Value,
        path: &str,
    ) -> Result<(), Option<String>> {
        let fits = |fits: bool| if fits { Ok(()) } else { Err(None) };
        if let Some(inner) = kind.strip_prefix("array of ") {
            let path = format!("{path}[]");
            let values = value.as_array().ok_or(None)?;
            return values.iter().try_for_each(|value| self.has_type(inner, row, value, &path));
        }
        if let Some(inner) = kind.strip_prefix("map of ") {
            let values = value.as_object().ok_or(None)?;
            return values.values().try_for_each(|value| self.has_type(inner, row, value, path));
        }
        match kind {
            "string" => fits(value.is_string()),
            "time" => fits(value.as_str().is_some_and(is_time)),
            "integer" => fits(value.is_u64() || value.is_i64()),
            "number" => fits(value.is_number()),
            "boolean" => fits(value.is_boolean()),
            "null" => fits(value.is_null()),
            "object" => {
                let is_named = |object: &Map<String, Value>| {
                    object.keys().all(|key| row.meaning.contains(&format!("`{key}`")))
                };
                fits(value.as_object().is_some_and(is_named))
            }
            table if value.is_object() => self.object(&[table], value, path).map_err(Some),
            _ => Err(None),
        }
    }

    /// Returns the documented fields that were never found, as `table.field`.
    pub(crate) fn never_found(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        let fields = self
            .tables
            .iter()
            .flat_map(|(title, table)| table.keys().map(move |field| (title, field)));
        fields
            .filter(|(title, field)| !seen.contains(&((*title).clone(), (*field).clone())))
            .map(|(title, field)| format!("{title}.{field}"))
            .collect()
    }
}

/// Returns a type without its link: `array of [Finding](#finding)` is `array of Finding`.
fn name_of(kind: &str) -> String {
    match kind.split_once('[') {
        Some((before, link)) => format!("{before}{}", link.split(']').next().unwrap_or_default()),
        None => kind.to_owned(),
    }
}

fn is_time(text: &str) -> bool {
    text.starts_with('@') || (text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}
