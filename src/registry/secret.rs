//! A secret of a process in the registry: the four keys under which it may be written.

use toml::de::DeTable;

use super::channels::is_web_address;
use super::form::Form;
use super::read::{Item, Reader};
use super::value::Value;
use crate::model::sink::{Secret, SecretSource};

/// Which of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `X`: the value itself.
    Value,
    /// `X_file`.
    File,
    /// `X_env`.
    Env,
    /// `X_command`.
    Command,
}

impl Spelling {
    /// What its value looks like.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Self::Value => Form::Secret,
            Self::File => Form::Path,
            Self::Env => Form::Text,
            Self::Command => Form::Argv,
        }
    }

    /// What stands under this key; `None`: the secret is written under another one.
    #[must_use]
    pub fn value(self, source: &SecretSource) -> Option<Value> {
        match (self, source) {
            (Self::Value, SecretSource::Inline(secret)) => Some(Value::Text(secret.expose().to_owned())),
            (Self::File, SecretSource::File(text)) | (Self::Env, SecretSource::Env(text)) => {
                Some(Value::Text(text.clone()))
            }
            (Self::Command, SecretSource::Command(argv)) => Some(Value::Texts(argv.clone())),
            (Self::Value | Self::File | Self::Env | Self::Command, _) => None,
        }
    }

    /// Reads a web address; on `None` the reader knows why, and does not repeat what may hold a token.
    pub(super) fn read(self, reader: &mut Reader<'_>, key: &str, item: &Item<'_>) -> Option<SecretSource> {
        Some(match self {
            Self::Value => {
                let text = reader.text(key, item)?;
                if !is_web_address(&text) {
                    let hint = "it begins with `https://` or `http://` and holds no blanks";
                    return reader.fail(item.span(), format!("`{key}` is not a web address"), hint);
                }
                SecretSource::Inline(Secret::new(text))
            }
            Self::File => SecretSource::File(reader.path(key, item)?),
            Self::Env => SecretSource::Env(reader.text(key, item)?),
            Self::Command => SecretSource::Command(reader.argv(key, item)?),
        })
    }
}

/// A secret is given once.
pub(super) fn one_spelling(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str) {
    let spellings = ["", "_file", "_env", "_command"].map(|suffix| format!("{key}{suffix}"));
    let given: Vec<_> = spellings.iter().filter_map(|name| Some((name, table.get(name.as_str())?))).collect();
    if let [(first, _), (second, item), ..] = given.as_slice() {
        reader.fail::<()>(item.span(), format!("both `{first}` and `{second}` are given"), "keep one of them");
    }
}
