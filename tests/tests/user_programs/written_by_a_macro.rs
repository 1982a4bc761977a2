//! Actors that a macro of the user's writes.
#![deny(warnings)]

macro_rules! cell {
    ($name:ident, $ty:ty) => {
        #[derive(Default)]
        struct $name(Option<$ty>);

        #[quark::actor]
        impl $name {
            pub fn set(&mut self, value: $ty) -> Option<$ty> {
                self.0.replace(value)
            }
        }
    };
}

cell!(Words, Vec<String>);
cell!(Number, u64);

fn uses(number: &NumberRef, words: &WordsRef) {
    let _ = number.set(4);
    let _ = words.set(vec!["a".to_owned()]);
}

pub(super) fn main() {
    let _checked: fn(&NumberRef, &WordsRef) = uses;
    drop((Number::default(), Words::default()));
}
