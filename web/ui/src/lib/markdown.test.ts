import { expect, test } from 'vitest';
import { parseMarkdown, safeHref } from './markdown';

test('markup in a file stays text', () => {
  const [first] = parseMarkdown('<script>alert(1)</script>').children;
  expect(first).toMatchObject({ type: 'html', value: '<script>alert(1)</script>' });
});

test('only addresses that lead somewhere are links', () => {
  expect([' https://a.org ', 'MAILTO:a@b', 'javascript:alert(1)', 'data:text/html,x', '/2/x'].map(safeHref)).toEqual(['https://a.org', 'MAILTO:a@b', '', '', '']);
});
