import { later, t } from './i18n.svelte';
import { extensionOf } from './paths';
import type { Entry } from './types';

/** What a file is to people; the same words as the search's type facet. */
export type Kind =
  | 'folder' | 'document' | 'spreadsheet' | 'presentation' | 'pdf' | 'image' | 'text' | 'code' | 'mail' | 'archive' | 'audio' | 'video' | 'other';

const ENDINGS: Record<Exclude<Kind, 'folder' | 'other'>, string> = {
  document: 'doc docx dotx odt rtf pages epub wpd',
  spreadsheet: 'xls xlsx xlsm ods csv tsv numbers',
  presentation: 'ppt pptx odp key pps ppsx',
  pdf: 'pdf',
  image: 'png jpg jpeg gif webp avif bmp tif tiff svg heic ico',
  text: 'txt md markdown rst log text nfo adoc org tex srt',
  code: 'js ts jsx tsx mjs py rs go java kt c h cpp hpp cc cs rb php swift scala sh bash zsh sql html htm css scss json yaml yml toml xml ini conf lua pl r ex exs hs ml vue svelte proto make cmake dockerfile',
  mail: 'eml msg mbox',
  archive: 'zip tar gz tgz bz2 xz 7z rar zst',
  audio: 'mp3 flac ogg wav m4a aac opus wma',
  video: 'mp4 mkv mov avi webm m4v wmv',
};

const BY_ENDING = new Map<string, Kind>(
  Object.entries(ENDINGS).flatMap(([kind, endings]) => endings.split(' ').map((e): [string, Kind] => [e, kind as Kind])),
);

/** What kind of thing an entry is, by its name. */
export function kindOf(entry: Pick<Entry, '.tag' | 'name'>): Kind {
  if (entry['.tag'] === 'folder') return 'folder';
  return BY_ENDING.get(extensionOf(entry.name)) ?? 'other';
}

const LABELS: Record<Kind, string> = {
  folder: later('Folders'), document: later('Documents'), spreadsheet: later('Spreadsheets'), presentation: later('Presentations'),
  pdf: later('PDFs'), image: later('Images'), text: later('Text'), code: later('Code'), mail: later('Mail'), archive: later('Archives'),
  audio: later('Audio'), video: later('Video'), other: later('Other'),
};

/** The word for many of a kind. */
export function kindLabel(kind: string): string {
  return t(LABELS[kind as Kind] ?? kind);
}

/** Pictures that the server makes small. */
const DECODED = new Set(['bmp', 'gif', 'jpeg', 'jpg', 'png', 'webp']);
/** Larger ones have no small form, bytes. */
const MOST_BYTES = 32 * 1024 * 1024;

export function hasThumbnail(file: { name: string; size: number }): boolean {
  return DECODED.has(extensionOf(file.name)) && file.size <= MOST_BYTES;
}

/** Images that browsers show. */
const SHOWN_IMAGES = new Set(['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'svg']);
const SHOWN_AUDIO = new Set(['mp3', 'm4a', 'ogg', 'oga', 'opus', 'wav', 'flac', 'aac']);
const SHOWN_VIDEO = new Set(['mp4', 'm4v', 'webm', 'mov', 'ogv']);

/** How a file is previewed as it is; `words` where only its text can be shown. */
export type PreviewKind = 'image' | 'audio' | 'video' | 'pdf' | 'markdown' | 'code' | 'mail' | 'words';

export function previewOf(name: string): PreviewKind {
  const ending = extensionOf(name);
  if (SHOWN_IMAGES.has(ending)) return 'image';
  if (SHOWN_AUDIO.has(ending)) return 'audio';
  if (SHOWN_VIDEO.has(ending)) return 'video';
  if (ending === 'pdf') return 'pdf';
  if (ending === 'md' || ending === 'markdown') return 'markdown';
  if (ending === 'eml') return 'mail';
  return kindOf({ '.tag': 'file', name }) === 'code' ? 'code' : 'words';
}
