import { userInfo } from 'node:os';

/** Who gives a command, for the history: a courtesy to colleagues, no proof. */
export function asker(): string {
  const { SUDO_USER } = process.env;
  const name = SUDO_USER === undefined || SUDO_USER === '' ? userName() : SUDO_USER;
  return `${name.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 40)} on the command line`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // an id without an account
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
