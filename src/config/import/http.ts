/** May it be the Host of a request, or a server name of TLS? */
export const isHostName = (text: string): boolean => /^[a-zA-Z0-9.:[\]_-]{1,255}$/.test(text);

/** The statuses in IANA's registry: what a range such as 200-299 stands for. */
const REGISTERED = [
  100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
  308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422,
  423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];

/** What a range such as 200-299 stands for. */
export const statusesBetween = (first: number, last: number): number[] =>
  REGISTERED.filter((status) => status >= first && status <= last);

/** True where `pattern` does not match. */
export const invertedRegex = (pattern: string): string => `^(?![\\s\\S]*(?:${pattern}))`;

/** PCRE and JavaScript agree on what checks mostly use; what does not compile has to be told. */
export function isRegex(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false; // not a fault: PCRE has what JavaScript does not
  }
}
