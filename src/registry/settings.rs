//! An edit of `[healthcheck]` that leaves every other byte of the registry as it was.

use toml_edit::{DocumentMut, Item, Table, Value, value};

use crate::error::{Code, Error};

/// The text with `every` of `[healthcheck]` set. `every` is a duration as the registry writes it.
///
/// # Errors
/// 78: the text is not TOML, or `healthcheck` is no table in it.
pub fn set_every(text: &str, every: &str) -> Result<String, Error> {
    let fail = |why: String| {
        Error::new(Code::Config, "registry_invalid", format!("cannot set `every` of `[healthcheck]`: {why}"))
            .hint("`guardian config check` says what is wrong with the registry")
    };
    let mut document: DocumentMut = text.parse().map_err(|error| fail(format!("{error}")))?;
    let table = document.entry("healthcheck").or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().ok_or_else(|| fail("it is no table".to_owned()))?;
    match table.get_mut("every").and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = Value::from(every);
            *old.decor_mut() = decor;
        }
        None => drop(table.insert("every", value(every))),
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_value_changes() {
        let cases = [
            ("", "[healthcheck]\nevery = \"5m\"\n"),
            (
                "# mine\n[healthcheck]\nevery  =  '1m' # often\n\n[process.a]\nshell='x'\n",
                "# mine\n[healthcheck]\nevery  =  \"5m\" # often\n\n[process.a]\nshell='x'\n",
            ),
            ("[process.a]\nshell = 'x'\n", "[process.a]\nshell = 'x'\n\n[healthcheck]\nevery = \"5m\"\n"),
            ("healthcheck = { every = '1m' }\n", "healthcheck = { every = \"5m\" }\n"),
        ];
        for (before, after) in cases {
            assert_eq!(set_every(before, "5m").unwrap(), after);
            assert_eq!(set_every(after, "5m").unwrap(), after);
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(set_every("healthcheck = 5\n", "5m").unwrap_err().code, Code::Config);
        assert_eq!(set_every("[", "5m").unwrap_err().code, Code::Config);
    }
}
