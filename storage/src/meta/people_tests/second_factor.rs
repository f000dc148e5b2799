//! Second factors: codes, recovery codes, and what is stored of them.

use totp_rs::{Builder, Secret as TotpSecret, Totp};

use super::{Bench, NOW_MS, bench, refusal};
use crate::key::Keyring;
use crate::keyspace;
use crate::meta::second_factor::{RECOVERY_CODES, STEP_S};
use crate::meta::{Account, CodeKind, Refusal};

/// A telephone that was shown the secret.
struct Telephone(Totp);

impl Telephone {
    fn shown(secret: &str) -> Telephone {
        let secret = TotpSecret::try_from_base32(secret).unwrap();
        Telephone(Builder::new().with_secret(secret).build().unwrap())
    }

    /// The code it shows `steps` time steps from the clock's start.
    fn code(&self, steps: u64) -> String {
        let at_s = NOW_MS.unsigned_abs() / 1000 + steps * STEP_S;
        self.0.generate(at_s).to_string()
    }
}

fn enrolled(bench: &Bench, account: &Account, keys: &Keyring) -> (Telephone, Vec<String>) {
    let secret = bench.meta.begin_second_factor(account.id, keys).unwrap();
    let telephone = Telephone::shown(secret.expose());
    let codes = bench
        .meta
        .confirm_second_factor(account.id, keys, &telephone.code(0))
        .unwrap();
    (telephone, codes)
}

#[test]
fn codes_are_those_of_rfc_6238() {
    let secret = TotpSecret::new(Box::from(*b"12345678901234567890"));
    let totp = Builder::new().with_secret(secret).build().unwrap();
    for (at_s, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(totp.generate(at_s).to_string(), code);
    }
}

#[test]
fn nothing_is_asked_for_until_the_first_code_was_right() {
    let (bench, keys) = (bench(), Keyring::in_memory().unwrap());
    let ann = bench.account("ann");
    let confirm = |code: &str| bench.meta.confirm_second_factor(ann.id, &keys, code);
    assert_eq!(refusal(confirm("000000")), Refusal::NoFactor);
    let first = bench.meta.begin_second_factor(ann.id, &keys).unwrap();
    let first = Telephone::shown(first.expose());
    assert_eq!(bench.meta.second_factor(ann.id).unwrap(), None);
    assert_eq!(
        refusal(bench.meta.take_code(ann.id, &keys, &first.code(0))),
        Refusal::NoFactor
    );
    let second = bench.meta.begin_second_factor(ann.id, &keys).unwrap();
    let second = Telephone::shown(second.expose());
    assert_eq!(refusal(confirm(&first.code(0))), Refusal::WrongCode);
    assert_eq!(confirm(&second.code(0)).unwrap().len(), RECOVERY_CODES);
    let shown = bench.meta.second_factor(ann.id).unwrap().unwrap();
    assert_eq!(
        (shown.since_ms, shown.recovery_codes_left),
        (NOW_MS, RECOVERY_CODES)
    );
    assert_eq!(
        refusal(bench.meta.begin_second_factor(ann.id, &keys)),
        Refusal::FactorInUse
    );
    assert_eq!(refusal(confirm(&second.code(1))), Refusal::FactorInUse);
}

#[test]
fn a_code_is_good_once_and_for_about_a_minute() {
    let (bench, keys) = (bench(), Keyring::in_memory().unwrap());
    let ann = bench.account("ann");
    let (telephone, _) = enrolled(&bench, &ann, &keys);
    let take = |code: &str| bench.meta.take_code(ann.id, &keys, code);
    assert_eq!(
        refusal(take(&telephone.code(0))),
        Refusal::WrongCode,
        "it was the confirmation"
    );
    let spaced = telephone.code(1);
    let spaced = format!(" {} {}", &spaced[..3], &spaced[3..]);
    assert_eq!(
        take(&spaced).unwrap(),
        CodeKind::Totp,
        "a clock that is ahead"
    );
    assert_eq!(
        refusal(take(&telephone.code(1))),
        Refusal::WrongCode,
        "a replay"
    );
    bench.clock.advance_ms(4 * STEP_S as i64 * 1000);
    assert_eq!(
        refusal(take(&telephone.code(2))),
        Refusal::WrongCode,
        "too old"
    );
    assert_eq!(take(&telephone.code(4)).unwrap(), CodeKind::Totp);
    assert_eq!(
        refusal(take(&telephone.code(3))),
        Refusal::WrongCode,
        "older than the last one"
    );
    assert_eq!(refusal(take("")), Refusal::WrongCode);
}

#[test]
fn recovery_codes_are_good_once_each_and_end_with_new_ones() {
    let (bench, keys) = (bench(), Keyring::in_memory().unwrap());
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let (_, codes) = enrolled(&bench, &ann, &keys);
    enrolled(&bench, &bob, &keys);
    let take = |code: &str| bench.meta.take_code(ann.id, &keys, code);
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(
        refusal(bench.meta.take_code(bob.id, &keys, &codes[3])),
        Refusal::WrongCode,
        "another account's"
    );
    assert_eq!(take(&typed).unwrap(), CodeKind::Recovery);
    assert_eq!(refusal(take(&codes[3])), Refusal::WrongCode);
    let left = || {
        bench
            .meta
            .second_factor(ann.id)
            .unwrap()
            .unwrap()
            .recovery_codes_left
    };
    assert_eq!(left(), RECOVERY_CODES - 1);
    let fresh = bench.meta.renew_recovery_codes(ann.id).unwrap();
    assert_eq!(left(), RECOVERY_CODES);
    assert_eq!(refusal(take(&codes[4])), Refusal::WrongCode);
    assert_eq!(take(&fresh[0]).unwrap(), CodeKind::Recovery);
    bench.meta.remove_second_factor(ann.id).unwrap();
    assert_eq!(refusal(take(&fresh[1])), Refusal::NoFactor);
    assert_eq!(
        refusal(bench.meta.remove_second_factor(ann.id)),
        Refusal::NoFactor
    );
}

#[test]
fn secrets_are_wrapped_bound_to_their_account_and_rewrapped() {
    let (bench, keys) = (bench(), Keyring::in_memory().unwrap());
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let secret = bench.meta.begin_second_factor(ann.id, &keys).unwrap();
    let telephone = Telephone::shown(secret.expose());
    assert!(!format!("{secret:?}").contains(secret.expose()));
    let codes = bench
        .meta
        .confirm_second_factor(ann.id, &keys, &telephone.code(0))
        .unwrap();
    let rows = bench.meta.store().snapshot().unwrap();
    let rows = rows
        .range(
            &[keyspace::SECOND_FACTOR],
            &[keyspace::SECOND_FACTOR + 1],
            false,
            9,
        )
        .unwrap();
    let (at, value) = rows.first().unwrap();
    let raw = telephone.0.secret().as_bytes();
    assert!(!value.windows(raw.len()).any(|part| part == raw));
    let code = codes[0].as_bytes();
    assert!(!value.windows(code.len()).any(|part| part == code));
    let other = [&at[..1], &bob.id.0.to_be_bytes()].concat();
    let moved = bench.meta.transact(|txn| {
        txn.put(other.clone(), value.clone().into());
        Ok(())
    });
    moved.unwrap();
    let stolen = bench.meta.take_code(bob.id, &keys, &telephone.code(1));
    assert!(matches!(stolen, Err(crate::Error::Key(_))), "{stolen:?}");
    bench.meta.remove_second_factor(bob.id).unwrap();
    assert_eq!(bench.meta.rewrap_second_factors(&keys).unwrap(), 0);
}
