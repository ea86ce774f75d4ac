import { expect, test } from 'vitest';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { load, problemsOf } from '../../support/config.ts';
import { describeFaults, fault, inGroup, warned } from '../../support/config-faults.ts';

const track = (lines: string): string => `[[failover.track]]\n${lines}\n`;
const uplink = track('name = "uplink"\ntype = "interface"\ninterface = "eth1"');

describeFaults('trackers', [
  warned(
    'what is always up',
    inGroup('') + track('name = "up"\ntype = "interface"\ninterface = "lo"'),
    'failover.track[0].interface',
    '"lo"',
    /"lo" is always up/,
    /can take down/,
  ),
  fault(
    'a name twice',
    inGroup('') + uplink + uplink,
    'failover.track[1].name',
    '"uplink"',
    /the name of an earlier tracker/,
    /name of its own/,
  ),
  fault(
    'an unknown tracker',
    inGroup('track = ["uplink", "uplonk"]') + uplink,
    'failover.group[0].track[1]',
    '"uplonk"',
    /no tracker "uplonk"/,
    /there is: uplink/,
  ),
  fault(
    'no tracker at all',
    inGroup('track = ["uplink"]'),
    'failover.group[0].track[0]',
    '"uplink"',
    /no tracker "uplink"/,
    /\[\[failover\.track\]\]/,
  ),
  fault(
    'a tracker named twice',
    inGroup('track = ["uplink", "uplink"]') + uplink,
    'failover.group[0].track[1]',
    '"uplink"]',
    /twice/,
    /remove one/,
  ),
  fault(
    'a script without an absolute path',
    inGroup('') + track('name = "s"\ntype = "script"\ncommand = ["check"]'),
    'failover.track[0].command[0]',
    '"check"',
    /absolute/,
    /absolute path/,
  ),
  fault(
    'a weight out of range',
    inGroup('') + track('name = "s"\ntype = "interface"\ninterface = "eth1"\nweight = -255'),
    'failover.track[0].weight',
    '-255',
    /out of range/,
    /-254 to 254/,
  ),
  fault(
    'invert of a file, whose number is not up or down',
    inGroup('') + track('name = "s"\ntype = "file"\npath = "/p"\ninvert = true'),
    'failover.track[0].invert',
    'invert',
    /not known|unknown|belongs/,
    /./,
  ),
  fault(
    'a key of another type',
    inGroup('') + track('name = "s"\ntype = "interface"\ninterface = "eth1"\ncount = 2'),
    'failover.track[0].count',
    'count',
    /./,
    /./,
  ),
]);

test('a tracker that no group names is worth a warning', () => {
  const problems = problemsOf(inGroup('track = []') + uplink);
  expect(problems).toMatchObject([{ severity: 'warning', key: 'failover.track[0]' }]);
  expect(problems[0]?.message).toBe('no group names tracker "uplink"');
});

test('trackers count for every group unless it names its own', () => {
  const script = track(
    'name = "gw"\ntype = "script"\ncommand = ["/bin/ping", "-c1", "10.0.0.1"]\ninterval = "500ms"',
  );
  const second = '[[failover.group]]\nvrid = 2\naddresses = ["10.0.0.101/24"]\ntrack = ["gw"]\n';
  const failover = load(inGroup('') + second + uplink + script).failover;
  expect(failover?.groups.map((group) => group.track)).toEqual([['uplink', 'gw'], ['gw']]);
  expect(failover?.tracks).toEqual([
    {
      name: 'uplink',
      check: { type: 'interface', interface: 'eth1' },
      interval: seconds(1),
      rise: 2,
      fall: 2,
      weight: 0,
      invert: false,
    },
    {
      name: 'gw',
      check: { type: 'script', command: ['/bin/ping', '-c1', '10.0.0.1'], timeout: millis(500) },
      interval: millis(500),
      rise: 2,
      fall: 2,
      weight: 0,
      invert: false,
    },
  ]);
});
