//! Tokens, sessions and one-time codes.

use super::{Bench, NOW_MS, bench, refusal};
use crate::keyspace;
use crate::meta::token::{KEPT_EXPIRED_MS, MAX_TOKENS};
use crate::meta::{
    Account, AccountChange, AccountId, Authentication, NewToken, Purpose, Refusal, Secret, TokenId,
    TokenKind,
};

fn bearer(bench: &Bench, account: &Account) -> Secret {
    bench
        .meta
        .create_token(account.id, TokenKind::Bearer, "a script", None)
        .unwrap()
}

fn holder(bench: &Bench, secret: &Secret) -> Option<AccountId> {
    bench
        .meta
        .authenticate(secret.expose())
        .unwrap()
        .map(|token| token.account)
}

#[test]
fn a_token_opens_until_it_is_revoked() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let (first, second) = (bearer(&bench, &ann), bearer(&bench, &ann));
    assert!(first.expose().starts_with("ff_") && first.expose().len() == 46);
    assert_eq!(
        (holder(&bench, &first), holder(&bench, &second)),
        (Some(ann.id), Some(ann.id))
    );
    assert_eq!(bench.meta.authenticate("ff_guess").unwrap(), None);
    let id = bench.meta.authenticate(first.expose()).unwrap().unwrap().id;
    assert_eq!(refusal(bench.meta.revoke(bob.id, id)), Refusal::NotFound);
    bench.meta.revoke(ann.id, id).unwrap();
    assert_eq!(
        (holder(&bench, &first), holder(&bench, &second)),
        (None, Some(ann.id))
    );
    let listed = bench.meta.tokens(ann.id).unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|token| token.name.as_str())
            .collect::<Vec<_>>(),
        ["a script"]
    );
    assert_eq!(bench.meta.revoke_all(ann.id, None).unwrap(), 1);
    assert_eq!(holder(&bench, &second), None);
    assert_eq!(TokenId::parse(&id.to_string()), Some(id));
}

#[test]
fn secrets_are_not_stored() {
    let bench = bench();
    let secret = bearer(&bench, &bench.account("ann"));
    let rows = bench.meta.store().snapshot().unwrap();
    let all = rows.range(&[0], &[0xff], false, usize::MAX).unwrap();
    let holds = |bytes: &[u8]| {
        bytes
            .windows(40)
            .any(|part| part == &secret.expose().as_bytes()[3..43])
    };
    assert!(!all.iter().any(|(key, value)| holds(key) || holds(value)));
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

#[test]
fn expired_and_suspended_are_told_apart() {
    let bench = bench();
    let ann = bench.account("ann");
    let expires_ms = Some(NOW_MS + 1000);
    let secret = bench
        .meta
        .create_token(ann.id, TokenKind::Bearer, "x", expires_ms)
        .unwrap();
    let look = || bench.meta.authentication(secret.expose()).unwrap();
    assert!(matches!(look(), Authentication::Valid(_)));
    bench.clock.advance_ms(1000);
    assert_eq!(look(), Authentication::Expired);
    let disabled = |disabled| AccountChange {
        disabled: Some(disabled),
        ..AccountChange::default()
    };
    let other = bearer(&bench, &ann);
    assert_eq!(holder(&bench, &other), Some(ann.id));
    bench.meta.change_account(ann.id, disabled(true)).unwrap();
    assert_eq!(look(), Authentication::Suspended);
    assert_eq!(holder(&bench, &other), None);
    bench.meta.change_account(ann.id, disabled(false)).unwrap();
    assert_eq!(holder(&bench, &other), Some(ann.id));
    bench.clock.advance_ms(KEPT_EXPIRED_MS);
    assert_eq!(bench.meta.expire_tokens(10).unwrap(), 0);
    bench.clock.advance_ms(1);
    assert_eq!(bench.meta.expire_tokens(10).unwrap(), 1);
    assert_eq!(look(), Authentication::Unknown);
    assert_eq!(bench.meta.tokens(ann.id).unwrap().len(), 1);
}

#[test]
fn codes_are_redeemed_once_and_open_nothing_else() {
    let bench = bench();
    let ann = bench.account("ann");
    let kind = TokenKind::OneTime {
        purpose: Purpose::Claim,
    };
    let code = bench
        .meta
        .create_token(ann.id, kind, "invitation", Some(NOW_MS + 1000))
        .unwrap();
    let is_claim = |purpose: &Purpose| *purpose == Purpose::Claim;
    assert_eq!(bench.meta.authenticate(code.expose()).unwrap(), None);
    assert!(matches!(
        bench.meta.peek_code(code.expose()).unwrap(),
        Authentication::Valid(_)
    ));
    assert_eq!(
        bench
            .meta
            .redeem(code.expose(), |purpose| !is_claim(purpose))
            .unwrap(),
        None
    );
    let redeemed = bench.meta.redeem(code.expose(), is_claim).unwrap();
    assert_eq!(redeemed.map(|token| token.account), Some(ann.id));
    assert_eq!(bench.meta.redeem(code.expose(), is_claim).unwrap(), None);
    let bearer = bearer(&bench, &ann);
    assert_eq!(bench.meta.redeem(bearer.expose(), |_| true).unwrap(), None);
}

#[test]
fn a_session_has_a_second_secret() {
    let bench = bench();
    let ann = bench.account("ann");
    let (token, secret) = bench
        .meta
        .create_session(ann.id, "Firefox", NOW_MS + 1000)
        .unwrap();
    assert!(bench.meta.last_seen(ann.id).unwrap().is_some());
    let TokenKind::Session { csrf } = token.kind else {
        panic!("{token:?}")
    };
    assert!(csrf.len() == 24 && !secret.expose().contains(&csrf));
    assert_eq!(holder(&bench, &secret), Some(ann.id));
}

#[test]
fn what_a_refresh_token_made_goes_with_it() {
    let bench = bench();
    let ann = bench.account("ann");
    let new = |kind, parent| NewToken {
        kind,
        name: "app".into(),
        scopes: vec!["files.content.read".into()],
        expires_ms: None,
        parent,
    };
    let (refresh, secret) = bench
        .meta
        .create_token_with(ann.id, new(TokenKind::Refresh, None))
        .unwrap();
    let child = new(TokenKind::Bearer, Some(refresh.id));
    let (_, access) = bench.meta.create_token_with(ann.id, child).unwrap();
    let scopes = bench
        .meta
        .authenticate(access.expose())
        .unwrap()
        .unwrap()
        .scopes;
    assert_eq!(scopes, ["files.content.read"]);
    assert_eq!(bench.meta.authenticate(secret.expose()).unwrap(), None);
    let found = bench.meta.refresh_authentication(secret.expose()).unwrap();
    assert_eq!(found, Authentication::Valid(refresh.clone()));
    bench.meta.revoke(ann.id, refresh.id).unwrap();
    assert_eq!(holder(&bench, &access), None);
}

#[test]
fn the_last_use_is_written_once_a_minute() {
    let bench = bench();
    let ann = bench.account("ann");
    let (used, gone) = (bearer(&bench, &ann), bearer(&bench, &ann));
    holder(&bench, &used);
    let gone_id = bench.meta.authenticate(gone.expose()).unwrap().unwrap().id;
    bench.meta.revoke(ann.id, gone_id).unwrap();
    bench.meta.save_token_uses().unwrap();
    bench.clock.advance_ms(59_999);
    holder(&bench, &used);
    assert_eq!(bench.meta.save_token_uses().unwrap(), 0);
    let last_use = || bench.meta.tokens(ann.id).unwrap()[0].last_used_ms;
    assert_eq!(last_use(), Some(NOW_MS));
    bench.clock.advance_ms(1);
    holder(&bench, &used);
    assert_eq!(bench.meta.save_token_uses().unwrap(), 1);
    assert_eq!(last_use(), Some(NOW_MS + 60_000));
    bench.meta.revoke_all(ann.id, None).unwrap();
    let rows = bench.meta.store().snapshot().unwrap();
    let left = rows
        .range(&[keyspace::TOKEN], &[keyspace::TOKEN + 1], false, 10)
        .unwrap();
    assert_eq!(left, []);
}

#[test]
fn a_new_session_takes_the_oldest_ones_place() {
    let bench = bench();
    let ann = bench.account("ann");
    let keep = bearer(&bench, &ann);
    let mut first = None;
    for _ in 0..MAX_TOKENS {
        bench.clock.advance_ms(1);
        let (_, secret) = bench.meta.create_session(ann.id, "x", NOW_MS * 2).unwrap();
        first.get_or_insert(secret);
    }
    assert_eq!(bench.meta.tokens(ann.id).unwrap().len(), MAX_TOKENS);
    assert_eq!(holder(&bench, &keep), Some(ann.id));
    assert_eq!(first.and_then(|first| holder(&bench, &first)), None);
}
