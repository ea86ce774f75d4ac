import { describe, expect, test } from 'vitest';
import { quietCommands, steeringCommands } from '../../../src/failover/flows/rules.ts';
import { flowsOf } from '../../../src/failover/flows/tcp-table.ts';
import { parseIp } from '../../../src/lib/ip.ts';

const ip = (text: string) => parseIp(text)!;

const TCP4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 6400620A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 6400620A:0050 3200620A:C001 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 6400620A:0050 3200620A:C002 06 00000000:00000000 03:00000F00 00000000     0        0 0 3 0
   3: 0100620A:0016 3200620A:C003 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   4: 6400620A:0050 3200620A:C004 08 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
nonsense
`;
const TCP6 = `   0: B80D0120000098000000000000010000:0050 B80D0120000098000000000050000000:D431 01 0:0 00:0 0 0 0 5
   1: 0000000000000000FFFF00006400620A:0050 0000000000000000FFFF00003200620A:D432 01 0:0 00:0 0 0 0 6
`;

describe('/proc/net/tcp', () => {
  test('connections of the address, neither listeners nor what has ended', () => {
    const flows = flowsOf(TCP4, new Set(['10.98.0.100']));
    expect(flows.map(({ client, clientPort, port }) => [client.text, clientPort, port])).toEqual([
      ['10.98.0.50', 0xc001, 80],
      ['10.98.0.50', 0xc004, 80],
    ]);
  });

  test('IPv6, and IPv4 on a socket for both', () => {
    const flows = flowsOf(TCP6, new Set(['2001:db8:98::100', '10.98.0.100']));
    expect(flows.map(({ client, address }) => [client.text, address.text])).toEqual([
      ['2001:db8:98::50', '2001:db8:98::100'],
      ['10.98.0.50', '10.98.0.100'],
    ]);
  });
});

describe('the rules', () => {
  test('are in tables of our own alone, and begin by replacing what was there', () => {
    const steering = steeringCommands({
      table: 'tandem_handover_51_eth0',
      device: 'eth0',
      families: [{ addresses: [ip('10.0.0.100')], via: ip('10.0.0.1') }],
      known: [{ client: ip('10.0.0.9'), clientPort: 4242, address: ip('10.0.0.100'), port: 80 }],
      drainSeconds: 30,
    });
    const quiet = quietCommands({
      table: 'tandem_handover_51_eth0',
      device: 'eth0',
      addresses: [ip('10.0.0.100')],
      own: null,
    });
    for (const commands of [steering, quiet]) {
      expect(Object.keys(commands[1]!)).toEqual(['delete']);
      const tables = JSON.stringify(commands).match(/"(?:table|name)":"tandem[^"]*"/g) ?? [];
      expect(new Set(tables.map((text) => text.split(':')[1]))).toEqual(
        new Set(['"tandem_handover_51_eth0"']),
      );
    }
    // what is known must outlive the table
    expect(JSON.stringify(steering)).toContain('{"concat":["10.0.0.9",4242,"10.0.0.100",80]},"timeout":90');
    expect(JSON.stringify(steering)).toContain('{"fwd":{"dev":"eth0","family":"ip","addr":"10.0.0.1"}}');
  });
});
