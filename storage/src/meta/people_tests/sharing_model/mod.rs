//! Random sharing by four accounts, themselves and by groups, against a model of who may read what. // I6

mod expect;
mod model;
mod op;
mod run;

use proptest::prelude::*;

use model::Model;
use op::{aimed, op};

const ACCOUNTS: usize = 4;
const GROUPS: usize = 2;
/// Each account has these folders, with one file in each; the second lies in the first.
const FOLDERS: [&str; 3] = ["/f0", "/f0/sub", "/f1"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn everybody_reads_what_the_model_says_and_nothing_else(ops in proptest::collection::vec(op(), 1..40)) {
        let mut model = Model::new();
        model.compare();
        for op in ops {
            if let Some(op) = aimed(op, &model.spaces) {
                model.step(&op);
            }
        }
        prop_assert_eq!(model.bench.meta.check_people(100).unwrap(), Vec::<String>::new());
    }
}
