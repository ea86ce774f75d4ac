import type { TomlValue } from '../toml.ts';
import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

/** `schedule` of a backend: `balance`, `hash-type`, and what sticks clients to servers. */
export function convertSchedule(back: ProxySection, inOrder: boolean): TomlValue {
  const balance = back.last('balance');
  const algorithm = (balance?.words[1] ?? 'roundrobin').replace(/\(.*$/s, '');
  const sticks = sticksToSource(back);
  if (inOrder) {
    if (balance !== undefined)
      back.journal.remark(balance, 'needless', 'one server at a time: `schedule = "first"`');
    return 'first';
  }
  const schedule = scheduleOf(back, balance, algorithm);
  const hashes = typeof schedule === 'object' || schedule === 'source-hash' || schedule === 'maglev';
  if (!sticks || hashes) return schedule;
  if (balance !== undefined)
    back.journal.remark(
      balance,
      'changed',
      '`schedule = "source-hash"`, since clients stick to their server',
    );
  return 'source-hash';
}

function scheduleOf(back: ProxySection, balance: Statement | undefined, algorithm: string): TomlValue {
  if (balance === undefined || algorithm === 'roundrobin' || algorithm === 'static-rr') return 'round-robin';
  switch (algorithm) {
    case 'leastconn':
      return 'least-connections';
    case 'first':
      return 'first';
    case 'source':
      return hashed(back, 'source');
    case 'random': {
      const draws = /^random\((\d+)\)$/.exec(balance.words[1] ?? '')?.[1];
      if (draws !== undefined && draws !== '2')
        back.journal.remark(balance, 'changed', 'of two draws the less loaded one');
      return 'random-two';
    }
    case 'hash':
      return hashOf(back, balance);
    default:
      return 'least-connections';
  }
}

/** "balance hash req.ssl_sni": the service looks at server names. */
export function hashesNames(back: ProxySection): boolean {
  const { words = [] } = back.last('balance') ?? {};
  return words[1] === 'hash' && /^req[._]ssl_sni(?:,lower)?$/.test(words.slice(2).join(''));
}

function hashOf(back: ProxySection, balance: Statement): TomlValue {
  if (balance.words.slice(2).join('') === 'src') return hashed(back, 'source');
  if (hashesNames(back)) return hashed(back, 'server-name');
  back.journal.remark(
    balance,
    'missing',
    'left out: Tandem hashes the client address or the TLS server name: least-connections',
  );
  return 'least-connections';
}

function hashed(back: ProxySection, key: 'source' | 'server-name'): TomlValue {
  const type = back.last('hash-type');
  const consistent = type?.words[1] === 'consistent';
  const factor = back.number(1, 'hash-balance-factor', 0, 65_535) ?? 0;
  const bounded = consistent && factor > 100 && factor <= 10_000;
  if (key === 'server-name' && type !== undefined && !consistent)
    back.journal.remark(type, 'changed', '`maglev`: few clients move when a server leaves');
  const maglev = consistent || key === 'server-name';
  const extra = {
    ...(key === 'server-name' ? { hash_key: key } : {}),
    ...(bounded ? { balance_factor: `${factor}%` } : {}),
  };
  const name = maglev ? 'maglev' : 'source-hash';
  return Object.keys(extra).length === 0 ? name : { algorithm: name, ...extra };
}

/** "stick on src": source-hash does it without a table. Anything else to stick on is told to be left out. */
function sticksToSource(back: ProxySection): boolean {
  const lines = back.own('stick on', 'stick match', 'stick store-request');
  for (const statement of lines) {
    if (
      /^src(?:,ipmask\([\d,]+\))?$/.test(statement.words[2] ?? '') &&
      !statement.words.includes('if') &&
      !statement.words.includes('unless')
    )
      continue;
    back.journal.remark(
      statement,
      'missing',
      'left out: Tandem keeps clients together by their address alone',
    );
  }
  const kept = lines.filter((statement) =>
    back.journal.remarks(statement).every(({ fate }) => fate !== 'missing'),
  );
  if (kept.length > 0) back.last('stick-table');
  return kept.length > 0;
}
