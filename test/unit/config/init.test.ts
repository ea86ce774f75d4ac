import { expect, test } from 'vitest';
import { type InitRequest, renderInit } from '../../../src/config/init.ts';
import { hostWith, load, problemsOf } from '../../support/config.ts';

const pair: InitRequest = {
  nodeName: 'lb-a',
  interface: 'eth0',
  virtualAddresses: ['10.0.0.100/24', '2001:db8::100/64'],
  services: [
    {
      name: 'web',
      protocol: 'tcp',
      port: 80,
      backends: ['10.0.1.11:8080', '[2001:db8:1::12]:8080'],
      healthPath: '/health',
    },
    { name: 'redis', protocol: 'tcp', port: 6379, backends: ['10.0.1.41:6379'], healthPath: null },
    { name: 'dns', protocol: 'udp', port: 53, backends: ['10.0.1.21:53'], healthPath: null },
  ],
  peer: { nodeName: 'lb-b', unicast: null, peering: null },
  schema: '/usr/share/tandem-lb/tandem.schema.json',
};

test('a pair: two files that load, alike but for name and priority', () => {
  const files = renderInit(pair);
  expect(files.map(({ file }) => file)).toEqual(['lb-a.toml', 'lb-b.toml']);
  const [a, b] = files.map(({ text }) => load(text));
  expect([a?.node.name, b?.node.name]).toEqual(['lb-a', 'lb-b']);
  const [groupA, groupB] = [a?.failover?.groups[0], b?.failover?.groups[0]];
  expect([groupA?.priority, groupB?.priority]).toEqual([150, 100]);
  expect({ ...groupB, priority: 150 }).toEqual(groupA);
  expect(groupA?.addresses.map(({ text }) => text)).toEqual(['10.0.0.100/24', '2001:db8::100/64']);
  expect(b?.services).toEqual(a?.services);
  expect(a?.services.map(({ name, listen, health }) => [name, listen.length, health?.probe.type])).toEqual([
    ['web', 2, 'http'],
    ['redis', 2, 'tcp'],
    ['dns', 2, undefined],
  ]);
});

test('its first line names the schema for editors', () => {
  for (const { text } of renderInit(pair)) {
    expect(text.split('\n')[0]).toBe('#:schema /usr/share/tandem-lb/tandem.schema.json');
  }
});

test('its commented options are right too', () => {
  for (const { text } of renderInit(pair)) {
    expect(problemsOf(text.replaceAll(/^#(?=[a-z_]+ = |\[)/gm, ''))).toEqual([]);
  }
});

test('unicast: each node names the other, with its own interface', () => {
  const [a, b] = renderInit({
    ...pair,
    virtualAddresses: ['10.0.0.100/24'],
    peer: {
      nodeName: 'lb-b',
      interface: 'ens3',
      unicast: { own: ['10.0.0.2'], peer: ['10.0.0.3'] },
      peering: null,
    },
  });
  const onA = load(a?.text ?? '', { environment: hostWith({ eth0: ['10.0.0.2/24'] }) });
  const onB = load(b?.text ?? '', { environment: hostWith({ ens3: ['10.0.0.3/24'] }) });
  const unicast = (config: typeof onA): unknown => {
    const spec = config.failover?.groups[0]?.unicast;
    return [spec?.source?.text, spec?.peers.map(({ text }) => text)];
  };
  expect(unicast(onA)).toEqual(['10.0.0.2', ['10.0.0.3']]);
  expect(unicast(onB)).toEqual(['10.0.0.3', ['10.0.0.2']]);
});

test('unicast over both families names peers alone', () => {
  const [a] = renderInit({
    ...pair,
    peer: {
      nodeName: 'lb-b',
      unicast: { own: ['10.0.0.2', '2001:db8::2'], peer: ['10.0.0.3', '2001:db8::3'] },
      peering: null,
    },
  });
  const unicast = load(a?.text ?? '').failover?.groups[0]?.unicast;
  expect(unicast?.source).toBeNull();
  expect(unicast?.peers).toHaveLength(2);
});

test('a node alone, without virtual addresses', () => {
  const [service] = pair.services;
  const files = renderInit({ ...pair, virtualAddresses: [], peer: null, services: service ? [service] : [] });
  expect(files).toHaveLength(1);
  const config = load(files[0]?.text ?? '');
  expect(config.failover).toBeNull();
  expect(config.services[0]?.listen.map(({ address }) => address.text)).toEqual(['0.0.0.0', '::']);
});

test('a low priority makes the peer the active one', () => {
  const groups = renderInit({ ...pair, priority: 50 }).map(({ text }) => load(text).failover?.groups[0]);
  expect(groups.map((group) => group?.priority)).toEqual([50, 150]);
});

test('names cannot break out of their quotes', () => {
  const [file] = renderInit({ ...pair, nodeName: 'x"\n[admin]\nsocket = "/tmp/x', peer: null });
  expect(problemsOf(file?.text ?? '').map(({ key }) => key)).toEqual(['node.name']);
});

test('planned handovers: each node names the other, and both the same key', () => {
  const peering = { own: '10.0.0.2', peer: '10.0.0.3' };
  const files = renderInit({ ...pair, peer: { nodeName: 'lb-b', unicast: null, peering } });
  const peers = files.map(({ text }, i) => {
    const environment = hostWith({ eth0: [i === 0 ? '10.0.0.2/24' : '10.0.0.3/24'] });
    return load(text, { environment }).failover?.peer;
  });
  expect(peers.map((peer) => peer?.address.text)).toEqual(['10.0.0.3', '10.0.0.2']);
  expect(peers.map((peer) => peer?.secretFile)).toEqual(Array(2).fill('/etc/tandem/peer.key'));
});
