//! Any bytes as the schema of a peer's actor type, held against one of ours.
#![no_main]

use quark_net::schema::{ActorSchema, Argument, Book, MethodSchema, Schema};

fn ours() -> ActorSchema {
    let mut book = Book::new();
    let method = MethodSchema {
        name: "put".to_owned(),
        arguments: vec![Argument {
            name: "what".to_owned(),
            shape: Vec::<(String, Option<u32>)>::describe(&mut book),
        }],
        ok: u64::describe(&mut book),
        err: String::describe(&mut book),
    };
    ActorSchema::new("A", book, vec![method]).expect("it is small")
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(theirs) = ActorSchema::decode(data) else {
        return;
    };
    assert_eq!(theirs.encode(), data, "there is one form of each");
    let ours = ours();
    let agreement = ours.compare(&theirs);
    assert!(agreement.methods.iter().any(|method| method.name == "put"));
    let _ = theirs.compare(&ours);
    let _ = theirs.compare(&theirs);
});
