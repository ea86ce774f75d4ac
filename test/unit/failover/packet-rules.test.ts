import { beforeEach, describe, expect, test } from 'vitest';
import type { NftCommand } from '../../../src/failover/flows/rules.ts';
import { PacketRules } from '../../../src/failover/packet-rules.ts';
import { seconds } from '../../../src/lib/duration.ts';
import type { FailoverSpec } from '../../../src/model/failover.ts';
import { load } from '../../support/config.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** nftables as far as it is known which tables there are. */
class Tables {
  readonly names = new Set<string>();
  failing = false;
  /** Answers take so long. */
  delay: Promise<void> = Promise.resolve();

  async apply(commands: readonly NftCommand[]): Promise<void> {
    await this.delay;
    if (this.failing) throw new Error('refused');
    for (const { add, delete: removed } of commands as readonly Words[]) {
      if (add?.table !== undefined) this.names.add(add.table.name);
      if (removed?.table !== undefined) this.names.delete(removed.table.name);
    }
  }

  tables(): Promise<never[]> {
    return Promise.resolve([]);
  }
}

interface Words {
  readonly add?: { readonly table?: { readonly name: string } };
  readonly delete?: { readonly table?: { readonly name: string } };
}

describe('packet rules', () => {
  let clock: ManualClock;
  let nft: Tables;
  let rules: PacketRules;
  let spec: FailoverSpec;

  beforeEach(() => {
    clock = new ManualClock();
    nft = new Tables();
    const { native } = new FakeKernel();
    rules = new PacketRules({ native, clock, emit: () => undefined, onChange: () => undefined, nft });
    const config =
      '[failover]\ninterface = "eth0"\n[[failover.group]]\nname = "web"\nvrid = 51\naddresses = ["10.0.0.100/24"]\naccept = false\n';
    const { failover } = load(config);
    if (failover === null) throw new Error('no [failover] section');
    spec = failover;
  });

  test('what is being set when they end is not left behind', async () => {
    let answer = (): void => undefined;
    nft.delay = new Promise((resolve) => {
      answer = resolve;
    });
    const configured = rules.configure(spec);
    const stopped = rules.stop();
    answer();
    await Promise.all([configured, stopped]);
    expect([...nft.names]).toEqual([]);
  });

  test('a [failover] section that comes back gets rules as the first one did, refused at first or not', async () => {
    await rules.configure(spec);
    expect(nft.names.size).toBe(1);
    await rules.stop();
    expect(nft.names.size).toBe(0);
    nft.failing = true;
    await rules.configure(spec);
    expect(rules.faultOf('web')).toContain('refused');
    nft.failing = false;
    clock.advance(seconds(10));
    await Promise.resolve();
    await rules.stop();
    expect(rules.faultOf('web')).toBe(null);
  });
});
