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
