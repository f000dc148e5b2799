/** The page's language. English words are the keys; other languages are loaded when they are chosen. */

export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;
export type Words = Record<string, string>;

const KEY = 'firefly-language';
const LOAD: Record<Exclude<Language, 'en'>, () => Promise<{ default: Words }>> = {
  de: () => import('../words/de.json'),
};

class Tongue {
  code = $state<Language>('en');
  words = $state.raw<Words>({});

  /** Takes up the choice of last time, or the browser's language. */
  start(): void {
    const wanted = stored() ?? navigator.languages?.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);
    if (wanted && wanted in LANGUAGES) void this.use(wanted as Language, false);
  }

  /** Speaks `code` from now on. */
  async use(code: Language, keep = true): Promise<void> {
    this.words = code === 'en' ? {} : (await LOAD[code]()).default;
    this.code = code;
    document.documentElement.lang = code;
    if (!keep) return;
    try {
      localStorage.setItem(KEY, code);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }
}

export const tongue = new Tongue();

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

type Values = Record<string, string | number>;

/** `text` in the page's language, with `{name}` replaced by its value. */
export function t(text: string, values: Values = {}): string {
  const said = tongue.words[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** Marks a text that is translated later, where it is shown. */
export function later<S extends string>(text: S): S {
  return text;
}

/** The form that fits the number; `{n}` is the number. */
export function tn(n: number, one: string, many: string, values: Values = {}): string {
  const shown = new Intl.NumberFormat(tongue.code).format(n);
  return t(n === 1 ? one : many, { n: shown, ...values });
}
