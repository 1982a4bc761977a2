use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Everything wrong with one `#[actor]`, gathered so that the user sees all of it at once.
#[derive(Default)]
pub(crate) struct Problems(Option<syn::Error>);

impl Problems {
    /// Notes a problem on exactly these tokens of the user's.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    /// The value, or the default of its type with its problem noted.
    pub(crate) fn or_default<T: Default>(&mut self, result: syn::Result<T>) -> T {
        self.ok(result).unwrap_or_default()
    }

    /// The value, or nothing with its problem noted.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value, unless a problem was noted.
    pub(crate) fn finish<T>(self, value: T) -> syn::Result<T> {
        match self.0 {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }
}

/// One `compile_error!` per problem, at the tokens it was noted on.
impl ToTokens for Problems {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(error) = &self.0 {
            tokens.extend(error.to_compile_error());
        }
    }
}
