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
  folder: 'Folders', document: 'Documents', spreadsheet: 'Spreadsheets', presentation: 'Presentations', pdf: 'PDFs',
  image: 'Images', text: 'Text', code: 'Code', mail: 'Mail', archive: 'Archives', audio: 'Audio', video: 'Video', other: 'Other',
};

/** The word for many of a kind. */
export function kindLabel(kind: string): string {
  return LABELS[kind as Kind] ?? kind;
}

/** Images that browsers show. */
const SHOWN_IMAGES = new Set(['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'ico', 'svg']);

/** How a file is previewed: as it is, or by its words. */
export function previewOf(name: string): 'image' | 'pdf' | 'words' {
  const ending = extensionOf(name);
  if (SHOWN_IMAGES.has(ending)) return 'image';
  return ending === 'pdf' ? 'pdf' : 'words';
}
