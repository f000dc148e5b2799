//! Operands of content streams.

use super::lexer::{Lexer, Token};
use super::matrix::Matrix;

/// Operands of one operator, and operands in one array.
pub(super) const MAX_OPERANDS: usize = 100_000;

/// An operand.
pub(super) enum Operand {
    Number(f64),
    String(Vec<u8>),
    Name(Vec<u8>),
    Array(Vec<Operand>),
    ActualText(Vec<u8>),
    Other,
}

/// The operand that starts with `token`.
pub(super) fn operand(token: Token, lexer: &mut Lexer) -> Operand {
    match token {
        Token::Number(number) => Operand::Number(number),
        Token::String(bytes) => Operand::String(bytes),
        Token::Name(name) => Operand::Name(name),
        Token::Open => array(lexer),
        Token::DictionaryOpen => dictionary(lexer),
        _ => Operand::Other,
    }
}

/// A flat array; nested ones lend it their elements.
fn array(lexer: &mut Lexer) -> Operand {
    let (mut parts, mut depth) = (Vec::new(), 1u32);
    while let Some(token) = lexer.next() {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 1 => break,
            Token::Close => depth -= 1,
            Token::Number(number) => parts.push(Operand::Number(number)),
            Token::String(bytes) => parts.push(Operand::String(bytes)),
            // An array that never closes ends where the next operator stands.
            Token::Word(_) => break,
            _ => {}
        }
        if parts.len() >= MAX_OPERANDS {
            break;
        }
    }
    Operand::Array(parts)
}

/// A property list: only its replacement text matters.
fn dictionary(lexer: &mut Lexer) -> Operand {
    let (mut depth, mut found, mut is_wanted) = (1u32, None, false);
    while let Some(token) = lexer.next() {
        match token {
            Token::DictionaryOpen => depth += 1,
            Token::DictionaryClose if depth == 1 => break,
            Token::DictionaryClose => depth -= 1,
            Token::String(bytes) if is_wanted => found = Some(bytes),
            Token::Name(name) => {
                is_wanted = name == b"ActualText";
                continue;
            }
            _ => {}
        }
        is_wanted = false;
    }
    found.map_or(Operand::Other, Operand::ActualText)
}

/// The number at a place, zero where there is none.
pub(super) fn numeric(operands: &[Operand], index: usize) -> f64 {
    match operands.get(index) {
        Some(Operand::Number(number)) => *number,
        _ => 0.0,
    }
}

/// The six operands as a matrix.
pub(super) fn matrix(operands: &[Operand]) -> Matrix {
    Matrix(std::array::from_fn(|index| numeric(operands, index)))
}
