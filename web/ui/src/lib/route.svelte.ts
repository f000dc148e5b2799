/** The address, as state. */

class Route {
  path = $state(location.pathname);
  params = $state.raw(new URLSearchParams(location.search));
  hash = $state(location.hash);

  /** Reads the browser's address again. */
  sync = () => {
    this.path = location.pathname;
    this.params = new URLSearchParams(location.search);
    this.hash = location.hash;
  };
}

export const route = new Route();

/** What these say is shown beside the place, which stays where it is. */
const BESIDE = ['open', 'pane', 'member', 'rev'];

/** The part of the address that says what the place shows. */
function placeOf(): string {
  const params = new URLSearchParams(location.search);
  for (const name of BESIDE) params.delete(name);
  return `${location.pathname}?${params}`;
}

/** Goes to an address of the page; `replace` leaves no step to go back to. */
export function navigate(href: string, { replace = false } = {}): void {
  if (href === location.pathname + location.search + location.hash) return;
  const before = placeOf();
  keepHeight();
  const state = { depth: (history.state?.depth ?? 0) + (replace ? 0 : 1) };
  if (replace) history.replaceState(state, '', href);
  else history.pushState(state, '', href);
  route.sync();
  if (placeOf() !== before) scrollTo(0, 0);
}

/** Steps back inside the page, or goes to `otherwise` when the page was entered here. */
export function back(otherwise: string): void {
  if (history.state?.depth > 0) history.back();
  else navigate(otherwise, { replace: true });
}

/** Changes one parameter of the present address. */
export function setParam(name: string, value: string, options: { replace?: boolean } = {}): void {
  const params = new URLSearchParams(location.search);
  if (value) params.set(name, value);
  else params.delete(name);
  const text = params.toString();
  navigate(location.pathname + (text ? `?${text}` : ''), options);
}

/** The present address with something's details opened beside it. */
export function detailsHref(path: string): string {
  const params = new URLSearchParams(location.search);
  params.set('open', path);
  params.set('pane', 'details');
  params.delete('member');
  params.delete('rev');
  return `${location.pathname}?${params}`;
}

/** How long a place may take to be as long as it was, milliseconds. */
const COMING_BACK_MS = 5_000;
const KEEP_MS = 150;
let stopComing: (() => void) | undefined;

/** Writes how far down the place is into its step of the history. */
function keepHeight(): void {
  if (!stopComing) history.replaceState({ ...history.state, y: Math.round(scrollY) }, '');
}

/** Goes down to where the place was left, as soon as it is that long again; whoever moves is let go. */
function comeBack(y: number): void {
  stopComing?.();
  const go = () => {
    scrollTo(0, y);
    if (Math.abs(scrollY - y) < 2) stopComing?.();
  };
  const grown = new ResizeObserver(go);
  const timer = setTimeout(() => stopComing?.(), COMING_BACK_MS);
  const moves = ['wheel', 'touchstart', 'pointerdown', 'keydown'];
  const moved = () => stopComing?.();
  stopComing = () => {
    stopComing = undefined;
    grown.disconnect();
    clearTimeout(timer);
    for (const move of moves) removeEventListener(move, moved);
  };
  for (const move of moves) addEventListener(move, moved, { passive: true });
  grown.observe(document.body);
}

/** Keeps, and gives back, how far down each step of the history was. Returns what ends it. */
function followHeight(): () => void {
  history.scrollRestoration = 'manual';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const scrolled = () => {
    clearTimeout(timer);
    timer = setTimeout(keepHeight, KEEP_MS);
  };
  const stepped = () => {
    clearTimeout(timer);
    comeBack(history.state?.y ?? 0);
  };
  addEventListener('scroll', scrolled, { passive: true });
  addEventListener('pagehide', keepHeight);
  addEventListener('popstate', stepped);
  if (history.state?.y) stepped();
  return () => {
    clearTimeout(timer);
    removeEventListener('scroll', scrolled);
    removeEventListener('pagehide', keepHeight);
    removeEventListener('popstate', stepped);
  };
}

/** Lets plain clicks on the page's own links change the address without loading. Returns what ends it. */
export function followLinks(): () => void {
  const click = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    // A place on this very page: the browser goes there, and takes the keys along.
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    if (/^\/(2|s|dav|oauth2|assets)\//.test(link.pathname)) return;
    event.preventDefault();
    navigate(link.pathname + link.search + link.hash);
  };
  addEventListener('popstate', route.sync);
  addEventListener('hashchange', route.sync);
  document.addEventListener('click', click);
  const forgetHeight = followHeight();
  return () => {
    forgetHeight();
    removeEventListener('popstate', route.sync);
    removeEventListener('hashchange', route.sync);
    document.removeEventListener('click', click);
  };
}
