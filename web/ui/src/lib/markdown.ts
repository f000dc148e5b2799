/** Markdown as a tree: what is shown is made of it node by node, so nothing in a file becomes markup. */

import type { Nodes, Root } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';

export type { Nodes };

export function parseMarkdown(text: string): Root {
  return fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
}

/** An address that may be followed, or '' for one that may do something else. */
export function safeHref(url: string): string {
  return /^(https?:|mailto:)/i.test(url.trim()) ? url.trim() : '';
}
