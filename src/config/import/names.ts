/** Names that Tandem takes: 1 to 64 letters, digits, "_", "." and "-", each of them once. */
export class Names {
  readonly #taken = new Set<string>();

  take(wanted: string): string {
    const clean = wanted.replaceAll(/[^a-zA-Z0-9_.-]+/g, '-').slice(0, MAX_LENGTH) || 'unnamed';
    let name = clean;
    for (let n = 2; this.#taken.has(name); n++) {
      const suffix = `-${n}`;
      name = clean.slice(0, MAX_LENGTH - suffix.length) + suffix;
    }
    this.#taken.add(name);
    return name;
  }
}

const MAX_LENGTH = 64;

/** A name that an interface of Linux may have (IFNAMSIZ). */
export const isDeviceName = (name: string): boolean => /^[^\s/\0]{1,15}$/.test(name) && !/^\.\.?$/.test(name);
