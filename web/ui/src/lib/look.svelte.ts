/** How the page looks to this browser's user: list or grid, and how close together. */

export type Layout = 'list' | 'grid';
export type Density = 'roomy' | 'close';

function kept<V extends string>(key: string, values: readonly V[]): V {
  try {
    const found = values.find((value) => value === localStorage.getItem(key));
    if (found) return found;
  } catch {
    // Without storage everything is as it comes.
  }
  return values[0] as V;
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}

class Look {
  layout = $state<Layout>(kept('firefly-layout', ['list', 'grid']));
  density = $state<Density>(kept('firefly-density', ['roomy', 'close']));

  setLayout(layout: Layout): void {
    this.layout = layout;
    keep('firefly-layout', layout);
  }

  setDensity(density: Density): void {
    this.density = density;
    keep('firefly-density', density);
    this.show();
  }

  /** Tells the style sheet. */
  show(): void {
    document.documentElement.dataset.density = this.density;
  }
}

export const look = new Look();
