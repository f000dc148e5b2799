/** How something comes in from below and goes again, `distance` in pixels: at once for who asked their system for less motion. */
export function rise(distance: number): { y: number; duration: number } {
  return { y: distance, duration: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 170 };
}
