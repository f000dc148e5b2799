/** Light or dark: as the system has it, until somebody chooses. */

type Choice = 'system' | 'light' | 'dark';

const KEY = 'firefly-theme';
const CHOICES: Choice[] = ['system', 'light', 'dark'];

class Theme {
  choice = $state<Choice>('system');

  /** Takes up the choice of last time. */
  start(): void {
    this.set(CHOICES.find((choice) => choice === stored()) ?? 'system');
  }

  set(choice: Choice): void {
    this.choice = choice;
    if (choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }

  /** Goes to the other one of what is seen now. */
  toggle(): void {
    const dark = this.choice === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : this.choice === 'dark';
    this.set(dark ? 'light' : 'dark');
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const theme = new Theme();
