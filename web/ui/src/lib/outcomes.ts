import { later, t } from './i18n.svelte';
import type { Outcome } from './types';

const BY_NAME = later('Findable by name');

/** What became of a file's words, as a short state and a sentence. */
const OUTCOMES: Record<Outcome, { state: string; words: string }> = {
  text: { state: later('Every word is findable'), words: '' },
  nothing_to_extract: { state: BY_NAME, words: later('There are no words in this file.') },
  encrypted: { state: BY_NAME, words: later('This file is protected by a password, so its words cannot be read.') },
  unsupported: { state: BY_NAME, words: later('Firefly does not know how to read words in this kind of file.') },
  timed_out: { state: BY_NAME, words: later('Reading this file took too long.') },
  too_large: { state: BY_NAME, words: later('This file is too large to be read.') },
  needs_ocr: { state: BY_NAME, words: later('The words in this file are pictures. Nothing here can read those yet.') },
  damaged: { state: BY_NAME, words: later('This file seems damaged: its words cannot be read.') },
  waiting: { state: later('Being read'), words: later('Firefly has not read this file yet. That usually takes a moment.') },
};

/** Why a file cannot be found by its words, and what helps. */
const REASONS: Partial<Record<Outcome, { short: string; advice: string }>> = {
  encrypted: { short: later('Protected by a password'), advice: later('Store a copy without a password.') },
  unsupported: { short: later('A kind that is not read'), advice: later('Store a copy in a format that is read, a PDF say.') },
  timed_out: { short: later('Took too long to read'), advice: later('Split the file.') },
  too_large: { short: later('Only the beginning is read'), advice: later('Split the file: what is beyond the limit is not searched.') },
  needs_ocr: { short: later('The words are pictures'), advice: later('They are read as soon as this server has tesseract and pdftoppm.') },
  damaged: { short: later('Seems damaged'), advice: later('Store the file again from a sound copy.') },
  waiting: { short: later('Still to be read'), advice: later('Nothing is to be done: that happens by itself.') },
};

/** Whether a file with this outcome has words that cannot be found. */
export const hidesWords = (outcome: Outcome) => outcome !== 'text' && outcome !== 'nothing_to_extract';

export const outcomeShort = (outcome: Outcome) => t(REASONS[outcome]?.short ?? outcome);
export const outcomeAdvice = (outcome: Outcome) => t(REASONS[outcome]?.advice ?? '');

/** The short state; what a newer server says is shown as it is. */
export function outcomeState(outcome: Outcome): string {
  return t(OUTCOMES[outcome]?.state ?? outcome);
}

/** The sentence, or ''. */
export function outcomeWords(outcome: Outcome): string {
  const words = OUTCOMES[outcome]?.words;
  return words ? t(words) : '';
}
