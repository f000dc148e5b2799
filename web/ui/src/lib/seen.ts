/** An attachment that runs `then` each time the element comes near the window. */
export function whenSeen(then: () => void): (element: HTMLElement) => () => void {
  return (element) => {
    const observer = new IntersectionObserver(
      (seen) => {
        if (seen.some((entry) => entry.isIntersecting)) then();
      },
      { rootMargin: '400px' },
    );
    observer.observe(element);
    // The element may stay in sight while pages are shorter than the window.
    const timer = setInterval(() => {
      if (element.getBoundingClientRect().top < innerHeight + 400) then();
    }, 500);
    return () => {
      observer.disconnect();
      clearInterval(timer);
    };
  };
}

/** Brings an element into the middle, or to the top, of what scrolls around it; the page itself stays where it is. */
export function bring(element: Element | null | undefined, to: 'middle' | 'top' = 'middle'): void {
  let around = element?.parentElement;
  while (around && !/auto|scroll/.test(getComputedStyle(around).overflowY)) around = around.parentElement;
  if (!element || !around || around === document.documentElement) return;
  const [inner, outer] = [element.getBoundingClientRect(), around.getBoundingClientRect()];
  const room = to === 'top' ? 16 : Math.max(0, (outer.height - inner.height) / 2);
  around.scrollTop += inner.top - outer.top - room;
}
