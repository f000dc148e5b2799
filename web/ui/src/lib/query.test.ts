import { describe, expect, test } from 'vitest';
import { isSearching, NOTHING, parseState, queryText, searchHref, type SearchState } from './query';

const of = (some: Partial<SearchState>): SearchState => ({ ...NOTHING, ...some });

describe('the address holds the state', () => {
  test.each<[Partial<SearchState>, string]>([
    [{}, '/'],
    [{ q: 'annual report' }, '/search?q=annual+report'],
    [{ q: 'a&b=c#d%', type: 'pdf' }, '/search?q=a%26b%3Dc%23d%25&type=pdf'],
    [{ q: 'übergrößenträger 本', modified: 'week', sort: 'name' }, '/search?q=%C3%BCbergr%C3%B6%C3%9Fentr%C3%A4ger+%E6%9C%AC&modified=week&sort=name'],
    [{ q: 'x', folder: '/Team/2024' }, '/search?q=x&in=%2FTeam%2F2024'],
  ])('%j', (some, href) => {
    const state = of(some);
    expect(searchHref(state)).toBe(href);
    expect(parseState(new URL(href, 'http://firefly').searchParams)).toEqual(state);
  });

  test('what is not known is passed over', () => {
    const params = new URLSearchParams('q=x&type=spoon&modified=never&sort=luck&more=1');
    expect(parseState(params)).toEqual(of({ q: 'x' }));
  });
});

describe('queryText', () => {
  test.each<[Partial<SearchState>, 'type' | 'modified' | '', string]>([
    [{ q: 'tax 2024' }, '', 'tax 2024'],
    [{ q: 'tax', type: 'pdf', modified: 'month' }, '', 'type:pdf modified:month tax'],
    [{ q: 'tax', type: 'pdf', modified: 'month' }, 'type', 'modified:month tax'],
    [{ type: 'pdf' }, '', 'type:pdf'],
    [{ q: ' tax ' }, '', 'tax '],
  ])('%j without %j', (some, without, expected) => expect(queryText(of(some), without)).toBe(expected));
});

test('blank words search for nothing', () => {
  expect(isSearching(of({ q: '  ' }))).toBe(false);
  expect(isSearching(of({ type: 'pdf' }))).toBe(true);
});
