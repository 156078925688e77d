//! A regular expression as an automaton that stops at the end of a name and continues with the next name of a path.

use regex_automata::{
    Anchored,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson::{self, NFA},
    util::start,
};
use regex_syntax::{
    ast::{
        self, AssertionKind, Ast, ClassPerlKind, ClassSet, ClassSetItem, GroupKind, RepetitionKind, RepetitionRange,
    },
    hir::{Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition},
};
use std::collections::HashMap;

/// An expression that ignores the case of ASCII letters, as `regex-lite` understands it.
#[derive(Debug)]
pub(super) struct Automaton(DFA);

impl Automaton {
    /// `None` for an expression with a construct that is rare in filters.
    pub(super) fn new(expression: &str) -> Option<Self> {
        let ast = ast::parse::ParserBuilder::new().nest_limit(NESTING).build().parse(expression).ok()?;
        let config =
            thompson::Config::new().nfa_size_limit(Some(PROGRAM)).which_captures(thompson::WhichCaptures::None);
        let nfa: NFA = thompson::Compiler::new().configure(config).build_from_hir(&translate(&ast)?).ok()?;
        // The states stay valid, because the cache is never cleared: an expression with too many states is given up.
        let config = DFA::config().cache_capacity(STATES).minimum_cache_clear_count(Some(0));
        DFA::builder().configure(config).build_from_nfa(nfa).ok().map(Self)
    }

    /// A run over many paths.
    pub(super) fn run(&self) -> Run<'_> {
        Run { automaton: &self.0, cache: self.0.create_cache(), states: Vec::new(), numbers: HashMap::new() }
    }
}

/// A run of an automaton over many paths, with the states that it has seen.
pub(super) struct Run<'a> {
    automaton: &'a DFA,
    cache: Cache,
    states: Vec<LazyStateID>,
    numbers: HashMap<LazyStateID, u32>,
}

/// What is known of a path and of all that begin with it: the number of a state of the automaton, or one of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(pub(super) u32);

impl State {
    /// They all fit.
    pub(super) const FITS: Self = Self((1 << 31) - 2);
    /// No path that begins so fits.
    pub(super) const NEVER: Self = Self((1 << 31) - 3);

    pub(super) fn is_final(self) -> bool {
        self.0 >= Self::NEVER.0
    }
}

impl Run<'_> {
    /// The state before any text. `None`, here and below: the expression has too many states.
    pub(super) fn start(&mut self) -> Option<State> {
        let config = start::Config::new().anchored(Anchored::No);
        let first = self.automaton.start_state(&mut self.cache, &config).ok()?;
        Some(self.known(first))
    }

    /// The state after more text.
    pub(super) fn feed(&mut self, state: State, text: &[u8]) -> Option<State> {
        if state.is_final() {
            return Some(state);
        }
        let mut id = *self.states.get(state.0 as usize)?;
        for &byte in text {
            id = self.automaton.next_state(&mut self.cache, id, byte).ok()?;
            if id.is_tagged() {
                if id.is_match() {
                    return Some(State::FITS);
                }
                if id.is_dead() {
                    return Some(State::NEVER);
                }
                if id.is_quit() {
                    return None;
                }
            }
        }
        Some(self.known(id))
    }

    /// Whether the path that ends here fits.
    pub(super) fn fits(&mut self, state: State) -> Option<bool> {
        if state.is_final() {
            return Some(state == State::FITS);
        }
        let id = *self.states.get(state.0 as usize)?;
        let end = self.automaton.next_eoi_state(&mut self.cache, id).ok()?;
        Some(end.is_match())
    }

    fn known(&mut self, id: LazyStateID) -> State {
        let states = &mut self.states;
        let number = *self.numbers.entry(id).or_insert_with(|| {
            states.push(id);
            states.len() as u32 - 1
        });
        State(number)
    }
}

fn translate(ast: &Ast) -> Option<Hir> {
    Some(match ast {
        Ast::Empty(_) => Hir::empty(),
        Ast::Literal(literal) => characters(&[(literal.c, literal.c)], false),
        Ast::Dot(_) => Hir::dot(Dot::AnyCharExceptLF),
        Ast::Assertion(assertion) => Hir::look(match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => Look::Start,
            AssertionKind::EndLine | AssertionKind::EndText => Look::End,
            AssertionKind::WordBoundary => Look::WordAscii,
            _ => return None,
        }),
        Ast::ClassPerl(class) => characters(perl(&class.kind), class.negated),
        Ast::ClassBracketed(class) => {
            let ClassSet::Item(item) = &class.kind else { return None };
            let mut ranges = Vec::new();
            collect(item, &mut ranges)?;
            characters(&ranges, class.negated)
        }
        Ast::Repetition(repetition) => {
            let (min, max) = match repetition.op.kind {
                RepetitionKind::ZeroOrOne => (0, Some(1)),
                RepetitionKind::ZeroOrMore => (0, None),
                RepetitionKind::OneOrMore => (1, None),
                RepetitionKind::Range(RepetitionRange::Exactly(count)) => (count, Some(count)),
                RepetitionKind::Range(RepetitionRange::AtLeast(min)) => (min, None),
                RepetitionKind::Range(RepetitionRange::Bounded(min, max)) => (min, Some(max)),
            };
            let sub = Box::new(translate(&repetition.ast)?);
            Hir::repetition(Repetition { min, max, greedy: repetition.greedy, sub })
        }
        Ast::Group(group) => match &group.kind {
            GroupKind::NonCapturing(flags) if !flags.items.is_empty() => return None,
            _ => translate(&group.ast)?,
        },
        Ast::Alternation(alternation) => Hir::alternation(all(&alternation.asts)?),
        Ast::Concat(concat) => Hir::concat(all(&concat.asts)?),
        Ast::Flags(_) | Ast::ClassUnicode(_) => return None,
    })
}

fn all(asts: &[Ast]) -> Option<Vec<Hir>> {
    asts.iter().map(translate).collect()
}

/// The ranges of a class without nested ones.
fn collect(item: &ClassSetItem, ranges: &mut Vec<(char, char)>) -> Option<()> {
    match item {
        ClassSetItem::Literal(literal) => ranges.push((literal.c, literal.c)),
        ClassSetItem::Range(range) => ranges.push((range.start.c, range.end.c)),
        ClassSetItem::Perl(class) if !class.negated => ranges.extend(perl(&class.kind)),
        ClassSetItem::Union(union) => return union.items.iter().try_for_each(|item| collect(item, ranges)),
        _ => return None,
    }
    Some(())
}

fn perl(kind: &ClassPerlKind) -> &'static [(char, char)] {
    match kind {
        ClassPerlKind::Digit => &[('0', '9')],
        ClassPerlKind::Space => &[('\t', '\r'), (' ', ' ')],
        ClassPerlKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
    }
}

/// A class of characters, with the other case of its ASCII letters.
fn characters(ranges: &[(char, char)], negated: bool) -> Hir {
    let range = |&(from, to)| ClassUnicodeRange::new(from, to);
    let mut class = ClassUnicode::new(ranges.iter().map(range));
    for (from, to, shift) in [(b'a', b'z', b'A'), (b'A', b'Z', b'a')] {
        let mut letters = ClassUnicode::new([ClassUnicodeRange::new(from.into(), to.into())]);
        letters.intersect(&class);
        let other = |letter: char| char::from(letter as u8 - from + shift);
        letters.iter().for_each(|part| class.push(ClassUnicodeRange::new(other(part.start()), other(part.end()))));
    }
    if negated {
        class.negate();
    }
    Hir::class(Class::Unicode(class))
}

/// Deepest nesting of groups.
const NESTING: u32 = 50;
/// Bytes that a compiled expression may take.
const PROGRAM: usize = 1 << 20;
/// Bytes that the states of an automaton may take.
const STATES: usize = 4 << 20;
