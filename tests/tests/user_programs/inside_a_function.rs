//! An actor may live in a function, and be named by a path.
#![deny(warnings)]

mod bank {
    pub struct Account(pub i64);
}

#[quark::actor]
impl bank::Account {
    pub fn merge(&mut self, other: Self) -> (i64, Option<Self>) {
        self.0 += other.0;
        (self.0, None)
    }
}

fn uses(account: &AccountRef) {
    let _ = account.merge(bank::Account(2));
}

pub(super) fn main() {
    #[derive(Default)]
    struct Local;

    #[quark::actor]
    impl Local {
        pub fn twice(&self, cx: &quark::Cx<Local>, number: u16) -> u16 {
            let _ = cx;
            number * 2
        }
    }

    fn uses_local(local: &LocalRef) {
        let _ = local.twice(2);
    }

    let _checked: (fn(&AccountRef), fn(&LocalRef)) = (uses, uses_local);
    let _ = Local::default();
}
