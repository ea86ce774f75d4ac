/** States as people see them. Pure. */

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'idle';

/** Shapes differ, not colours alone. 16 by 16. */
export const ICONS = {
  check: 'M3 8.5l3.2 3.2L13 4.8',
  cross: 'M4 4l8 8M12 4l-8 8',
  drain: 'M8 3v8M4.5 7.5L8 11l3.5-3.5M3.5 13.5h9',
  wrench: 'M4 12.5l5-5M9 7.5a3 3 0 1 1 4-3l-2 .3-.3 2a3 3 0 0 1-1.7.7',
  dots: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  circle: 'M8 3.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9',
  pause: 'M5.5 4v8M10.5 4v8',
  alert: 'M8 3v6M8 12.5h.01',
  bolt: 'M9 2.5L4.5 9H8l-1 4.5L11.5 7H8z',
  shield: 'M8 2.5l5 2v3.5c0 3-2.2 4.8-5 5.5c-2.8-.7-5-2.5-5-5.5V4.5z',
} as const;
export type Icon = keyof typeof ICONS;

export interface Mark {
  readonly word: string;
  readonly icon: Icon;
  readonly tone: Tone;
  /** A sentence for whoever points at it. */
  readonly title?: string;
}
