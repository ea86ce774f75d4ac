import { expect, test } from 'vitest';
import { hostWith, load, problemsOf } from '../../support/config.ts';
import {
  atTop,
  backend,
  describeFaults,
  fault,
  inGroup,
  inService,
  service,
  warned,
} from '../../support/config-faults.ts';

const another = (lines: string): string => `[[failover.group]]\n${lines}\n`;
const ipv6 = 'addresses = ["2001:db8::100/64"]';
const inIpv6Group = (lines: string): string =>
  inGroup(lines).replace('addresses = ["10.0.0.100/24"]', ipv6).replace('10.0.0.100:80', '10.0.0.1:80');

const PEER = '[failover.peer]\naddress = "10.0.0.3"\nsecret_file = "/etc/tandem/peer.key"\n';
const inWitness = (lines: string, peer = PEER): string =>
  `${inGroup('')}${peer}[failover.witness]\ninterval = "1s"\n${lines}\n`;

describeFaults('the witness', [
  fault(
    'resigning without a peer',
    inWitness('type = "icmp"\ntarget = "10.0.0.254"\npolicy = "resign"', ''),
    'failover.witness.policy',
    '"resign"',
    /needs \[failover\.peer\]/,
    /policy = "stay"/,
  ),
  fault(
    'an address that moves',
    inWitness('type = "arp"\ntarget = "10.0.0.100"'),
    'failover.witness.target',
    '"10.0.0.100"',
    /virtual address/,
    /gateway/,
  ),
  fault(
    'a time-out longer than the interval',
    inWitness('type = "icmp"\ntarget = "10.0.0.254"\ntimeout = "2s"'),
    'failover.witness.timeout',
    '"2s"',
    /longer than interval/,
    /at most 1s/,
  ),
  fault(
    'a name in the URL',
    inWitness('type = "http"\ntarget = "http://gateway.example.org/"'),
    'failover.witness.target',
    '"http://gateway.example.org/"',
    /not an address/,
    /DNS server/,
  ),
]);

describeFaults('groups among each other', [
  fault(
    'no group',
    `${inService('')}[failover]\ninterface = "eth0"\n`,
    'failover.group',
    '[failover]',
    /there is no group/,
    /\[\[failover\.group\]\]/,
  ),
  fault(
    'a VRID twice',
    inGroup('') + another('name = "b"\nvrid = 1\naddresses = ["10.0.0.101/24"]'),
    'failover.group[1].vrid',
    '1',
    /1 is used by an earlier group on eth0 for IPv4/,
    /another VRID/,
  ),
  fault(
    'a name twice',
    inGroup('name = "a"') + another('name = "a"\nvrid = 2\naddresses = ["10.0.0.101/24"]'),
    'failover.group[1].name',
    '"a"',
    /"a" is the name of an earlier group/,
    /name of its own/,
  ),
  fault(
    'a default name twice',
    inGroup('') + another('vrid = 1\naddresses = ["2001:db8::100/64"]'),
    'failover.group[1].name',
    '[[failover.group]]',
    /"vrid-1" is the name of an earlier group/,
    /name of its own/,
  ),
  fault(
    'a virtual address twice',
    inGroup('') + another('vrid = 2\naddresses = ["10.0.0.100/32"]'),
    'failover.group[1].addresses[0]',
    '"10.0.0.100/32"',
    /10\.0\.0\.100 is a virtual address already/,
    /once/,
  ),
  fault(
    'a virtual address twice in a group',
    inGroup('').replace('["10.0.0.100/24"]', '["10.0.0.100/24", "10.0.0.100/24"]'),
    'failover.group[0].addresses[1]',
    '"10.0.0.100/24"]',
    /already/,
    /once/,
  ),
]);

test('one VRID may serve IPv4 and IPv6, and two interfaces', () => {
  const two = hostWith({ eth0: ['10.0.0.2/24', '2001:db8::2/64'], eth1: ['10.1.0.2/24'] });
  const text =
    inGroup('') +
    another('name = "six"\nvrid = 1\naddresses = ["2001:db8::100/64"]') +
    another('name = "eth1"\ninterface = "eth1"\nvrid = 1\naddresses = ["10.1.0.100/24"]');
  expect(load(text, { environment: two }).failover?.groups).toHaveLength(3);
});

describeFaults('a group by itself', [
  fault(
    'no virtual address',
    inGroup('').replace('addresses = ["10.0.0.100/24"]\n', ''),
    'failover.group[0].addresses',
    '[[failover.group]]',
    /no virtual address/,
    /addresses = \[/,
  ),
  fault(
    'no interface',
    inGroup('').replace('interface = "eth0"\n', ''),
    'failover.group[0].interface',
    '[[failover.group]]',
    /no interface/,
    /or in \[failover\]/,
  ),
  fault(
    'version 2 with IPv6',
    inIpv6Group('version = 2'),
    'failover.group[0].version',
    '2',
    /cannot carry IPv6/,
    /IPv4 alone: write version = 3/,
  ),
  fault(
    'a password with version 3',
    inGroup('auth_pass = "secret"'),
    'failover.group[0].auth_pass',
    '"secret"',
    /means nothing to version 3/,
    /version = 2/,
  ),
  fault(
    'a password of 9 bytes',
    inGroup('version = 2\nauth_pass = "geheim€"'),
    'failover.group[0].auth_pass',
    '"geheim',
    /is 9 bytes long/,
    /1 to 8 bytes/,
  ),
  fault(
    'an empty password',
    inGroup('version = 2\nauth_pass = ""'),
    'failover.group[0].auth_pass',
    '""',
    /must not be empty/,
    /1 to 8 bytes/,
  ),
  fault(
    'version 2 with half a second',
    inGroup('version = 2\nadvertise_interval = "500ms"'),
    'failover.group[0].advertise_interval',
    '"500ms"',
    /500ms is not whole seconds/,
    /1s to 255s in whole seconds .*VRRPv2/,
  ),
  fault(
    'version 2 with 1.5 seconds',
    inGroup('version = 2\nadvertise_interval = "1.5s"'),
    'failover.group[0].advertise_interval',
    '"1.5s"',
    /not whole seconds/,
    /whole seconds/,
  ),
  fault(
    'version 3 with 41 seconds',
    inGroup('advertise_interval = "41s"'),
    'failover.group[0].advertise_interval',
    '"41s"',
    /41s is out of range/,
    /10ms to 40\.95s .*VRRPv3 carries centiseconds/,
  ),
  fault(
    'version 3 with 15 ms',
    inGroup('advertise_interval = "15ms"'),
    'failover.group[0].advertise_interval',
    '"15ms"',
    /multiple of 10ms/,
    /centiseconds/,
  ),
  fault(
    'an interval below 10 ms',
    inGroup('advertise_interval = "5ms"'),
    'failover.group[0].advertise_interval',
    '"5ms"',
    /out of range/,
    /10ms to 40\.95s .*version 2, 1s to 255s/,
  ),
  fault(
    'an interval that no version can carry',
    inGroup('version = 2\nadvertise_interval = "256s"'),
    'failover.group[0].advertise_interval',
    '"256s"',
    /out of range/,
    /VRRPv3 carries centiseconds in 12 bits.*1s to 255s in whole seconds/,
  ),
  fault(
    'loopback',
    inGroup('interface = "lo"'),
    'failover.group[0].interface',
    '"lo"',
    /never leaves this host/,
    /such as "eth0"/,
  ),
  fault(
    '255 that does not preempt',
    inGroup('priority = 255\npreempt = false'),
    'failover.group[0].preempt',
    'false',
    /always preempts/,
    /1 to 254/,
  ),
  fault(
    '255 that waits',
    inGroup('priority = 255\npreempt_delay = "5s"'),
    'failover.group[0].preempt_delay',
    '"5s"',
    /never waits/,
    /1 to 254/,
  ),
  warned(
    'a delay without preemption',
    inGroup('preempt = false\npreempt_delay = "5s"'),
    'failover.group[0].preempt_delay',
    '"5s"',
    /means nothing with preempt = false/,
    /preempt = true/,
  ),
  fault(
    'a lease of 1.5 seconds',
    inGroup('lease = "1500ms"'),
    'failover.group[0].lease',
    '"1500ms"',
    /1\.5s is not whole seconds/,
    /"1s", "2s"/,
  ),
  fault(
    'a lease below a second',
    inGroup('lease = "500ms"'),
    'failover.group[0].lease',
    '"500ms"',
    /out of range/,
    /1s to 1m/,
  ),
  warned(
    'a lease much longer than the takeover',
    inGroup('lease = "30s"\nadvertise_interval = "100ms"'),
    'failover.group[0].lease',
    '"30s"',
    /keeps its address for 30s/,
    /"2s"/,
  ),
  fault(
    'more addresses than an advertisement holds',
    inIpv6Group('').replace(
      ipv6,
      `addresses = [${Array.from({ length: 81 }, (_, i) => `"2001:db8::1:${i.toString(16)}/64"`).join(', ')}]`,
    ),
    'failover.group[0].addresses',
    '["2001',
    /81 IPv6 addresses do not fit/,
    /at most 80/,
  ),
]);

describeFaults('unicast', [
  fault(
    'no peers',
    inGroup('unicast = { source = "10.0.0.2" }'),
    'failover.group[0].unicast.peers',
    'unicast',
    /no peer/,
    /peers = \["10\.0\.0\.2"\]/,
  ),
  fault(
    'no peer of a family',
    inGroup('unicast = { peers = ["10.0.0.3"] }').replace(
      '"10.0.0.100/24"',
      '"10.0.0.100/24", "2001:db8::100/64"',
    ),
    'failover.group[0].unicast.peers',
    '["10',
    /no IPv6 peer/,
    /IPv6 address/,
  ),
  fault(
    'a peer of another family',
    inGroup('unicast = { peers = ["10.0.0.3", "2001:db8::3"] }'),
    'failover.group[0].unicast.peers[1]',
    '"2001',
    /is IPv6, and the group has no IPv6 address/,
    /remove it/,
  ),
  fault(
    'a source of another family',
    inGroup('unicast = { source = "2001:db8::2", peers = ["10.0.0.3"] }'),
    'failover.group[0].unicast.source',
    '"2001',
    /is IPv6/,
    /group's family/,
  ),
  fault(
    'a peer twice',
    inGroup('unicast = { peers = ["10.0.0.3", "10.0.0.3"] }'),
    'failover.group[0].unicast.peers[1]',
    '"10.0.0.3"]',
    /named twice/,
    /remove one/,
  ),
  fault(
    'a source that this host does not have',
    inGroup('unicast = { source = "10.0.0.9", peers = ["10.0.0.3"] }'),
    'failover.group[0].unicast.source',
    '"10.0.0.9"',
    /not an address of eth0/,
    /carries 10\.0\.0\.2/,
  ),
  fault(
    'a peer that is this host',
    inGroup('unicast = { peers = ["10.0.0.2"] }'),
    'failover.group[0].unicast.peers[0]',
    '"10.0.0.2"',
    /own address/,
    /other node's/,
  ),
]);

describeFaults('defaults in [failover]', [
  fault(
    'a fault there is told once, where it is written',
    `${inGroup('').replace('interface = "eth0"', 'interface = "eth0"\nadvertise_interval = "15ms"')}${another('vrid = 2\naddresses = ["10.0.0.101/24"]')}`,
    'failover.advertise_interval',
    '"15ms"',
    /multiple of 10ms/,
    /centiseconds/,
  ),
  fault(
    'an interface that does not exist',
    inGroup('').replace('"eth0"', '"eht0"'),
    'failover.interface',
    '"eht0"',
    /no interface "eht0"/,
    /it has eth0, lo; did you mean "eth0"\?/,
  ),
]);

describeFaults('this host', [
  fault(
    'an interface of a group that does not exist',
    inGroup('interface = "bond7"'),
    'failover.group[0].interface',
    '"bond7"',
    /no interface "bond7"/,
    /it has eth0, lo/,
  ),
  fault(
    'a virtual address that nothing can use',
    inGroup('').replace('10.0.0.100/24', '192.168.7.1/24'),
    'failover.group[0].addresses[0]',
    '"192',
    /no service listens on 192\.168\.7\.1, and eth0 \(10\.0\.0\.2\/24.*\) is not in its subnet/,
    /listen on "192\.168\.7\.1:80"/,
  ),
  fault(
    'an IPv6 address that nothing can use',
    inGroup('').replace('10.0.0.100/24', '2001:db8:7::1/64'),
    'failover.group[0].addresses[0]',
    '"2001',
    /no service listens on 2001:db8:7::1/,
    /"\[2001:db8:7::1\]:80"/,
  ),
]);

test('a virtual address is of use by a service, a wildcard or a subnet', () => {
  const group = (address: string, listen: string): string =>
    inGroup('').replace('10.0.0.100/24', address).replace('10.0.0.100:80', listen);
  expect(problemsOf(group('192.168.7.1/32', '192.168.7.1:80'))).toEqual([]);
  expect(problemsOf(group('192.168.7.1/32', '0.0.0.0:80'))).toEqual([]);
  expect(problemsOf(group('10.0.0.77/32', '10.9.9.9:80'))).toEqual([]);
  expect(problemsOf(group('192.168.7.1/32', '[::]:80'))).toHaveLength(1);
});

test('the active node, which carries the virtual address, judges as the standby does', () => {
  const text = inGroup('').replace('10.0.0.100/24', '192.168.7.1/24');
  const active = hostWith({ eth0: ['10.0.0.2/24', '192.168.7.1/24'] });
  expect(problemsOf(text, { environment: active }).map(({ severity }) => severity)).toEqual(['error']);
});

test('an interface without any address proves nothing: a warning', () => {
  const text = inGroup('').replace('10.0.0.100/24', '192.168.7.1/24');
  const problems = problemsOf(text, { environment: hostWith({ eth0: [] }) });
  expect(problems.map(({ severity, message }) => [severity, message])).toEqual([
    ['warning', 'no service listens on 192.168.7.1, and eth0 has no address now'],
  ]);
});

test('faults of the host are warnings where the caller says so, and other faults are not', () => {
  const missing = inGroup('interface = "bond7"');
  expect(problemsOf(missing, { hostFaults: 'warning' }).map(({ severity }) => severity)).toEqual(['warning']);
  expect(load(missing, { hostFaults: 'warning', warnings: [] }).failover?.groups[0]?.interface).toBe('bond7');
  const both = inGroup('interface = "bond7"\nversion = 2\nadvertise_interval = "1500ms"');
  expect(problemsOf(both, { hostFaults: 'warning' }).map(({ severity }) => severity)).toEqual([
    'warning',
    'error',
  ]);
});

describeFaults('programs to notify', [
  fault(
    'no program',
    inGroup('notify = { active = [] }'),
    'failover.group[0].notify.active',
    '[]',
    /names no program/,
    /absolute path/,
  ),
  fault(
    'a shell line',
    inGroup('notify = { before_claim = ["may-claim"] }'),
    'failover.group[0].notify.before_claim[0]',
    '"may-claim"',
    /not an absolute path \(no shell runs it\)/,
    /absolute path/,
  ),
  fault(
    'before_claim of the owner',
    inGroup('priority = 255\nnotify = { before_claim = ["/bin/true"] }'),
    'failover.group[0].notify.before_claim',
    '["/bin/true"]',
    /priority 255\) does not ask/,
    /1 to 254/,
  ),
]);

test('a group has the programs of [failover], or its own alone', () => {
  const all = '[failover.notify]\nactive = ["/bin/true", "a"]\n[[failover.group]]';
  const both = (own: string): string => inGroup(own).replace('[[failover.group]]', all);
  expect(load(both('')).failover?.groups[0]?.notify).toMatchObject({
    active: ['/bin/true', 'a'],
    beforeClaim: null,
    onTimeout: 'proceed',
  });
  const own = load(both('notify = { backup = ["/bin/true"] }')).failover?.groups[0]?.notify;
  expect(own).toMatchObject({ active: null, backup: ['/bin/true'] });
});

describeFaults('the file as a whole', [
  fault('nothing to do', '[node]\nname = "a"\n', 'service', '[node]', /nothing to do/, /\[\[service\]\]/),
  fault(
    'a socket path too long',
    atTop(`admin.socket = "/${'a'.repeat(107)}"`),
    'admin.socket',
    '"/aaa',
    /108 bytes long: too long for a unix socket/,
    /at most 107 bytes/,
  ),
]);

test('a socket path of 107 bytes is right', () => {
  const path = `/${'a'.repeat(106)}`;
  expect(load(atTop(`admin.socket = "${path}"`)).admin.socket).toBe(path);
});

test('failover without services is a configuration', () => {
  const text =
    '[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 9\naddresses = ["10.0.0.100/24"]\n';
  expect(load(text).services).toEqual([]);
  expect(problemsOf(service() + backend())).toEqual([]);
});

const synced = (lines: string): string =>
  another(`vrid = 2\naddresses = ["10.0.0.101/24"]\nsync = "edge"\n${lines}`);

describeFaults('groups that move together', [
  fault(
    'different priorities',
    inGroup('sync = "edge"\npriority = 150') + synced('priority = 100'),
    'failover.group[1].priority',
    '100',
    /differs from group "vrid-1", with which this one moves/,
    /the same priority in every group with sync = "edge"/,
  ),
  fault(
    'different preemption',
    inGroup('sync = "edge"') + synced('preempt = false'),
    'failover.group[1].preempt',
    'false',
    /differs from group "vrid-1"/,
    /the same preempt/,
  ),
]);

test('groups of one sync may be on different interfaces', () => {
  const environment = hostWith({ eth0: ['10.0.0.2/24'], eth1: ['10.1.0.2/24'] });
  const inner = another('interface = "eth1"\nvrid = 2\naddresses = ["10.1.0.100/24"]\nsync = "edge"');
  const { failover } = load(inGroup('sync = "edge"') + inner, { environment });
  expect(failover?.groups.map(({ sync }) => sync)).toEqual(['edge', 'edge']);
});
