/** Code in colours: highlight.js's grammars by way of lowlight, which gives a tree and never markup. */

import { common, createLowlight } from 'lowlight';
import { extensionOf } from './paths';

/** A stretch of one colour; `kind` is highlight.js's class, '' for plain text. */
export interface Piece {
  text: string;
  kind: string;
}

const lowlight = createLowlight(common);
/** Endings that are no alias of their language. */
const OTHER_NAMES: Record<string, string> = { h: 'c', hpp: 'cpp', svelte: 'xml', vue: 'xml', htm: 'xml', toml: 'ini', conf: 'ini', proto: 'java', zsh: 'bash', mjs: 'javascript' };

type Nodes = ReturnType<typeof lowlight.highlight>['children'];

/** The text in stretches, as the file's name says that it is written. */
export function colours(name: string, text: string): Piece[] {
  const ending = extensionOf(name);
  const language = OTHER_NAMES[ending] ?? ending;
  if (!lowlight.registered(language)) return [{ text, kind: '' }];
  const out: Piece[] = [];
  walk(lowlight.highlight(language, text).children, '', out);
  return out;
}

function walk(nodes: Nodes, kind: string, out: Piece[]): void {
  for (const node of nodes) {
    if (node.type === 'text') out.push({ text: node.value, kind });
    else if (node.type === 'element') {
      const names = node.properties.className;
      walk(node.children as Nodes, Array.isArray(names) ? String(names[0]) : kind, out);
    }
  }
}
