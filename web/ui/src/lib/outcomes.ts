import type { Outcome } from './types';

/** What became of a file's words, as a short state and a sentence. */
export const OUTCOMES: Record<Outcome, { state: string; words: string }> = {
  text: { state: 'Every word is findable', words: '' },
  nothing_to_extract: { state: 'Findable by name', words: 'There are no words in this file.' },
  encrypted: { state: 'Findable by name', words: 'This file is protected by a password, so its words cannot be read.' },
  unsupported: { state: 'Findable by name', words: 'Firefly does not know how to read words in this kind of file.' },
  timed_out: { state: 'Findable by name', words: 'Reading this file took too long.' },
  too_large: { state: 'Findable by name', words: 'This file is too large to be read.' },
  needs_ocr: { state: 'Findable by name', words: 'The words in this file are pictures. Nothing here can read those yet.' },
  damaged: { state: 'Findable by name', words: 'This file seems damaged: its words cannot be read.' },
  waiting: { state: 'Being read', words: 'Firefly has not read this file yet. That usually takes a moment.' },
};
