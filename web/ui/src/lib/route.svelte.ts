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

/** Goes to an address of the page; `replace` leaves no step to go back to. */
export function navigate(href: string, { replace = false } = {}): void {
  if (href === location.pathname + location.search + location.hash) return;
  const state = { depth: (history.state?.depth ?? 0) + (replace ? 0 : 1) };
  if (replace) history.replaceState(state, '', href);
  else history.pushState(state, '', href);
  const samePlace = route.path === location.pathname;
  route.sync();
  if (!replace && !samePlace) scrollTo(0, 0);
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
  return () => {
    removeEventListener('popstate', route.sync);
    removeEventListener('hashchange', route.sync);
    document.removeEventListener('click', click);
  };
}
