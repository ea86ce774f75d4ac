import { expect, test } from 'vitest';
import { render } from '../../../src/cli/commands/doctor.ts';
import { styleOf } from '../../../src/cli/output.ts';
import { ok, problem, skipped } from '../../../src/doctor/finding.ts';

test('a table with the fix below what is wrong, and the count', () => {
  const findings = [
    problem('link', 'eth0', 'has no carrier', 'plug it in'),
    skipped('clock', null, 'not visible'),
    ok('nftables', null, '/usr/sbin/nft'),
  ];
  expect(render([...findings, ...findings], styleOf(false)).at(-1)).toBe(
    '2 problems, 0 warnings, 2 skipped, 2 ok',
  );
  expect(render(findings, styleOf(false))).toEqual([
    'RESULT   CHECK     OF    SEEN',
    'problem  link      eth0  has no carrier',
    '                         fix: plug it in',
    'skipped  clock           not checked: not visible',
    'ok       nftables        /usr/sbin/nft',
    '',
    '1 problem, 0 warnings, 1 skipped, 1 ok',
  ]);
});
