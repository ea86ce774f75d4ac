import { accessSync, constants, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** What the collectors read of /proc, /sys and /run; tests hand in their own. A file that cannot be read is null. */
export interface Files {
  read(path: string): string | null;
  /** Where a symbolic link leads. */
  link(path: string): string | null;
  exists(path: string): boolean;
  executable(path: string): boolean;
  list(path: string): readonly string[];
  /** Wall-clock milliseconds of the last change of content, name or owner. */
  changedAt(path: string): number | null;
}

/** What is not there, not readable for this user or not known to this kernel looks the same: as not known. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

export const systemFiles: Files = {
  read: (path) => orNull(() => readFileSync(path, 'utf8')),
  link: (path) => orNull(() => readlinkSync(path)),
  exists: (path) => orNull(() => statSync(path)) !== null,
  executable: (path) => orNull(() => accessSync(path, constants.X_OK) === undefined) ?? false,
  list: (path) => orNull(() => readdirSync(path)) ?? [],
  changedAt: (path) =>
    orNull(() => {
      const { mtimeMs, ctimeMs } = statSync(path);
      return Math.max(mtimeMs, ctimeMs);
    }),
};

/** A file of one whole number, in decimal or with "0x"; null for anything else. */
export function readNumber(files: Files, path: string): number | null {
  const text = files.read(path)?.trim() ?? '';
  return /^(?:-?\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : null;
}
