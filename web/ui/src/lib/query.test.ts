import { describe, expect, test } from 'vitest';
import { isSearching, NOTHING, parseState, periodCounts, queryText, searchHref, toggled, type SearchState } from './query';

const of = (some: Partial<SearchState>): SearchState => ({ ...NOTHING, ...some });

describe('the address holds the state', () => {
  test.each<[Partial<SearchState>, string]>([
    [{}, '/'],
    [{ q: 'annual report' }, '/search?q=annual+report'],
    [{ q: 'a&b=c#d%', types: ['pdf', 'code'] }, '/search?q=a%26b%3Dc%23d%25&type=pdf%2Ccode'],
    [{ q: 'übergrößenträger 本', modified: 'week', sort: 'name' }, '/search?q=%C3%BCbergr%C3%B6%C3%9Fentr%C3%A4ger+%E6%9C%AC&modified=week&sort=name'],
    [{ q: 'x', endings: ['md', 'txt'] }, '/search?q=x&ext=md%2Ctxt'],
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
    [{ q: 'tax', types: ['pdf', 'mail'], modified: 'month' }, '', 'type:pdf,mail modified:30d tax'],
    [{ q: 'tax', types: ['pdf'], modified: 'older' }, 'type', 'modified:<365d tax'],
    [{ types: ['pdf'] }, '', 'type:pdf'],
    [{ q: ' tax ' }, '', 'tax '],
  ])('%j without %j', (some, without, expected) => expect(queryText(of(some), without)).toBe(expected));
});

test('blank words search for nothing', () => {
  expect(isSearching(of({ q: '  ' }))).toBe(false);
  expect(isSearching(of({ types: ['pdf'] }))).toBe(true);
});

test('a filter is put on and taken off', () => {
  expect(toggled([], 'pdf')).toEqual(['pdf']);
  expect(toggled(['pdf', 'code'], 'pdf')).toEqual(['code']);
});

test('longer periods hold the shorter ones', () => {
  const counts = [{ value: 'older', count: 9 }, { value: 'today', count: 2 }, { value: 'month', count: 5 }];
  const shown = (chosen: string) => periodCounts(counts, chosen).map((p) => `${p.value} ${p.count}`);
  expect(shown('')).toEqual(['today 2', 'month 7', 'older 9']);
  expect(shown('week')).toEqual(['today 2', 'week 2', 'month 7', 'older 9']);
});
