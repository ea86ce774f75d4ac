/** Light, dark, or as the system says. Runs before the page is painted. */

export {};

const KEY = 'tandem-theme';
const NEXT = { auto: 'light', light: 'dark', dark: 'auto' } as const;
type Theme = keyof typeof NEXT;

const stored = (): Theme => {
  const value = localStorage.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : 'auto';
};

function show(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === 'auto') delete dataset['theme'];
  else dataset['theme'] = theme;
  const button = document.getElementById('theme');
  if (button === null) return;
  button.textContent = `Theme: ${theme}`;
  button.setAttribute('aria-label', `Theme: ${theme}. Change to ${NEXT[theme]}`);
}

show(stored());

document.addEventListener('DOMContentLoaded', () => {
  show(stored());
  document.getElementById('theme')?.addEventListener('click', () => {
    const next = NEXT[stored()];
    localStorage.setItem(KEY, next);
    show(next);
  });
});
