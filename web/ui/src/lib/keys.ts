/** Fields that take no letters. */
const TAKES_NONE = new Set(['checkbox', 'radio', 'button', 'submit', 'file', 'range']);

/** Whether a key press belongs to a field and is no command. */
export function isTyping(event: KeyboardEvent): boolean {
  const at = event.target;
  if (!(at instanceof HTMLElement)) return false;
  if (at instanceof HTMLInputElement) return !TAKES_NONE.has(at.type);
  return at.isContentEditable || /^(TEXTAREA|SELECT)$/.test(at.tagName);
}

/** A plain press: no modifier but Shift. */
export function isPlain(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
}
