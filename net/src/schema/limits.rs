//! How large a schema may be: it comes from strangers.

/// Bytes of an encoded schema.
pub(super) const BYTES_MOST: usize = 1 << 18;
/// Bytes of a name.
pub(super) const NAME_BYTES_MOST: usize = 255;
/// Definitions, methods, fields, variants and arguments, each.
pub(super) const COUNT_MOST: usize = 4096;
/// Shapes within shapes.
pub(super) const DEPTH_MOST: usize = 32;

/// A name as far as it may be long. Longer ones are no Rust anyone writes.
pub(super) fn cut(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MOST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}
