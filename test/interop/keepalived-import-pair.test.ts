// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell and keepalived write parameters so
/**
 * What an import is for: in a pair of keepalived nodes with one configuration, lb-a is replaced by Tandem with
 * the imported file, and nothing changes. Each pair is played twice, once with keepalived as lb-a and once with
 * Tandem; lb-b is the real keepalived both times.
 *
 *     lb-a               lb-b            client          be-1
 *   10.95.0.1         10.95.0.2       10.95.0.50      10.95.0.11    /24, db8:95::/64
 *      |  |              |  |              |               |
 *   ===+==|==============+==|==============+===============+====   lan (eth0)
 *   ======+=================+====   wan (eth1), 10.96.0.1 and .2 /24
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { startNginx } from '../support/pair.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

type Kind = 'keepalived' | 'tandem';

class Net {
  readonly lab: Lab;
  readonly a: Host;
  readonly b: Host;
  readonly #lan: Host;

  constructor(name: string) {
    this.lab = Lab.create(name);
    this.#lan = this.lab.bridge('lan');
    const wan = this.lab.bridge('wan');
    [this.a, this.b] = [this.host('lb-a', 1), this.host('lb-b', 2)];
    this.a.join(wan, 'eth1', ['10.96.0.1/24']);
    this.b.join(wan, 'eth1', ['10.96.0.2/24']);
  }

  host(name: string, number: number): Host {
    const made = this.lab.host(name);
    made.join(this.#lan, 'eth0', [`10.95.0.${number}/24`, `2001:db8:95::${number}/64`]);
    return made;
  }

  /** The kernel tells of a new link a little later; keepalived starts in FAULT where one is not up yet. */
  linksUp(): Promise<void> {
    const isUp = (host: Host, device: string): boolean =>
      host.ip('link', 'show', device).includes('state UP');
    return eventually('the links are up', () =>
      [this.a, this.b].every((host) => isUp(host, 'eth0') && isUp(host, 'eth1')),
    );
  }

  /** A file that scripts look at. */
  path(host: 'a' | 'b', name: string): string {
    const dir = join(this.lab.dir, `flags-${host}`);
    mkdirSync(dir, { recursive: true });
    return join(dir, name);
  }

  set(host: 'a' | 'b', name: string, text = ''): void {
    writeFileSync(this.path(host, name), text);
  }

  /** `$DIR` is the node's own folder. */
  text(source: string, host: 'a' | 'b'): string {
    return source.replaceAll('$DIR', join(this.path(host, '.')));
  }

  async expectHolder(holder: 'a' | 'b', ...addresses: readonly string[]): Promise<void> {
    await eventually(
      `lb-${holder} alone holds ${addresses.join(' ')}`,
      () =>
        addresses.every(
          (address) =>
            this.a.holds(address) === (holder === 'a') && this.b.holds(address) === (holder === 'b'),
        ),
      20_000,
    );
  }
}

type Node = Keepalived | Tandem;

const expectPriority = (node: Node, priority: number): Promise<void> =>
  eventually(`the priority is ${priority}`, async () =>
    node instanceof Tandem
      ? (await node.router()).effectivePriority === priority
      : node.process.log().includes(`Changing effective priority from 150 to ${priority}`),
  );

/** The command as it is run on the host itself: no fault, and nothing lost that decides how the pair behaves. */
async function importOn(net: Net, source: string): Promise<string> {
  const [conf, toml] = [join(net.lab.dir, 'keepalived.conf'), join(net.lab.dir, 'imported.toml')];
  writeFileSync(conf, net.text(source, 'a'));
  rmSync(toml, { force: true });
  const importing = ['import', conf, '--config-id', 'lb-a', '-o', toml];
  const imported = await net.a.run(['node', MAIN, ...importing]);
  expect(imported.status, imported.stderr).toBe(0);
  const checked = await net.a.run(['node', MAIN, 'check', toml]);
  expect(checked.status, checked.stdout + checked.stderr).toBe(0);
  return readFileSync(toml, 'utf8');
}

async function startA(net: Net, kind: Kind, source: string): Promise<Node> {
  if (kind === 'keepalived') return Keepalived.startText(net.lab, net.a, net.text(source, 'a'));
  return Tandem.start(net.lab, net.a, await importOn(net, source));
}

const startB = (net: Net, source: string): Promise<Keepalived> =>
  Keepalived.startText(net.lab, net.b, net.text(source, 'b'));

const GLOBALS = 'global_defs {\n  script_user root\n  vrrp_version 3\n}\n';
const PRIORITIES = '@lb-a priority 150\n  @lb-b priority 100';

const WEB = `${GLOBALS}
vrrp_script chk_proxy {
  script "/usr/bin/test -e $DIR/up"
  interval 1
  weight -60
}
vrrp_script in_maintenance {
  script "/usr/bin/test -e $DIR/maintenance"
  interval 1
  weight 70 reverse       # 70 less while the file is there
}
vrrp_instance V4 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  ${PRIORITIES}
  advert_int 0.2
  virtual_ipaddress {
    10.95.0.100/24
  }
  track_script {
    chk_proxy
    in_maintenance
  }
}
vrrp_instance V6 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  ${PRIORITIES}
  advert_int 0.2
  virtual_ipaddress {
    fe80::95:100/64
    2001:db8:95::100/64
  }
  track_script {
    chk_proxy weight -80
  }
}
virtual_server 10.95.0.100 80 {
  protocol TCP
  lb_algo rr
  delay_loop 1
  sorry_server 10.95.0.12 8080
  real_server 10.95.0.11 8080 {
    HTTP_GET {
      url {
        path /health
        status_code 200
      }
      connect_timeout 1
      retry 0
    }
  }
}
`;

const FIREWALL = `${GLOBALS}
vrrp_script chk_routing {
  script "/usr/bin/test -e $DIR/up"
  interval 1
}
vrrp_sync_group FIREWALL {
  group {
    INSIDE
    OUTSIDE
  }
  track_script {
    chk_routing
  }
  notify "$DIR/notify group"
}
vrrp_instance INSIDE {
  state BACKUP
  interface eth0
  virtual_router_id 61
  ${PRIORITIES}
  advert_int 0.2
  virtual_ipaddress {
    10.95.0.101/24
  }
  notify_master "$DIR/notify 'inside is master'"
}
vrrp_instance OUTSIDE {
  state BACKUP
  interface eth1
  virtual_router_id 62
  ${PRIORITIES}
  advert_int 0.2
  virtual_ipaddress {
    10.96.0.101/24
  }
  notify "$DIR/notify"
}
`;

const CLOUD = `global_defs {
  script_user root
}
track_file by_hand {
  file $DIR/priority
  weight 2
}
vrrp_instance CLOUD {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 71
  ${PRIORITIES}
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass s3cret12
  }
  @lb-a unicast_src_ip 10.95.0.1
  @lb-b unicast_src_ip 10.95.0.2
  unicast_peer {
    @lb-a 10.95.0.2
    @lb-b 10.95.0.1
  }
  virtual_ipaddress {
    10.95.0.110/24
  }
  track_interface {
    eth1 weight -20
  }
  track_file {
    by_hand
  }
}
`;

async function playWeb(net: Net, kind: Kind): Promise<void> {
  const both = ['10.95.0.100', '2001:db8:95::100'];
  net.set('a', 'up');
  net.set('b', 'up');
  const a = await startA(net, kind, WEB);
  await net.expectHolder('a', ...both);
  await startB(net, WEB);
  rmSync(net.path('a', 'up'));
  await net.expectHolder('b', ...both);
  net.set('a', 'up');
  await net.expectHolder('a', ...both);
  net.set('a', 'maintenance');
  await net.expectHolder('b', '10.95.0.100');
  expect(net.a.holds('2001:db8:95::100')).toBe(true);
  rmSync(net.path('a', 'maintenance'));
  await net.expectHolder('a', ...both);
  await a.stop();
  await net.expectHolder('b', ...both);
}

/** What the scripts were told, first words first; repetitions of a line count once. */
function toldScripts(net: Net): string[] {
  const path = net.path('a', 'told');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  return lines.filter((line, index) => line !== lines[index - 1]);
}

async function playFirewall(net: Net, kind: Kind): Promise<string[]> {
  const both = ['10.95.0.101', '10.96.0.101'];
  for (const host of ['a', 'b'] as const) {
    net.set(host, 'up');
    // a line in one write: keepalived runs the scripts of a group and of its instances at the same time
    net.set(host, 'notify', '#!/bin/sh\nIFS=,\necho "$*," >> "${0%/*}/told"\n');
  }
  for (const host of ['a', 'b'] as const) await net.a.run(['chmod', '755', net.path(host, 'notify')]);
  await net.linksUp();
  const a = await startA(net, kind, FIREWALL);
  await net.expectHolder('a', ...both);
  await startB(net, FIREWALL);
  rmSync(net.path('a', 'up'));
  await net.expectHolder('b', ...both);
  net.set('a', 'up');
  await net.expectHolder('a', ...both);
  net.a.setCable('eth1', false);
  await net.expectHolder('b', ...both);
  net.a.setCable('eth1', true);
  await net.expectHolder('a', ...both);
  await a.stop();
  await net.expectHolder('b', ...both);
  return toldScripts(net);
}

async function playCloud(net: Net, kind: Kind): Promise<void> {
  const vip = '10.95.0.110';
  net.set('a', 'priority', '0');
  net.set('b', 'priority', '0');
  const a = await startA(net, kind, CLOUD);
  await net.expectHolder('a', vip);
  const b = await startB(net, CLOUD);
  await b.waitState('CLOUD', 'BACKUP');
  // 150 - 2 * 40 is less than 100, but with nopreempt on both nodes nobody takes over while it advertises
  net.set('a', 'priority', '-40');
  await expectPriority(a, 70);
  await net.expectHolder('a', vip);
  await a.stop();
  await net.expectHolder('b', vip);
  net.set('a', 'priority', '0');
  await startA(net, kind, CLOUD);
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  await net.expectHolder('b', vip);
  await b.stop();
  await net.expectHolder('a', vip);
}

async function playServer(net: Net): Promise<void> {
  net.set('a', 'up');
  const client = net.host('client', 50);
  const [real, sorry] = [net.host('be-1', 11), net.host('be-2', 12)];
  const nginx = await startNginx(net.lab, real, '/dev/null');
  await startNginx(net.lab, sorry, '/dev/null');
  await startA(net, 'tandem', WEB);
  const answer = async (): Promise<string> =>
    (await client.run(['curl', '-s', '-m', '2', 'http://10.95.0.100/'])).stdout.trim();
  await eventually('be-1 answers', async () => (await answer()) === 'be-1', 20_000);
  await nginx.stop();
  await eventually('the sorry server answers', async () => (await answer()) === 'be-2', 20_000);
}

const skip = missing('keepalived', 'nginx', 'curl');

describe.skipIf(skip !== null).concurrent('a pair whose first node is replaced', { timeout: 120_000 }, () => {
  async function within<T>(name: string, play: (net: Net) => Promise<T>): Promise<T> {
    const net = new Net(name);
    try {
      return await play(net);
    } finally {
      await net.lab.destroy();
    }
  }

  /** Both at once: they do not see each other. */
  const playBoth = <T>(name: string, play: (net: Net, kind: Kind) => Promise<T>): Promise<[T, T]> =>
    Promise.all([
      within(`${name}-k`, (net) => play(net, 'keepalived')),
      within(`${name}-t`, (net) => play(net, 'tandem')),
    ]);

  test('web: weighted and reversed scripts, both address families', async () => {
    await playBoth('kweb', playWeb);
  });

  test('firewall: a sync group over two links, with its scripts', async () => {
    const [original, imported] = await playBoth('kfire', playFirewall);
    expect(new Set(imported)).toEqual(new Set(original));
    // each program hears of the roles in their order
    for (const told of [original, imported]) {
      const group = told.filter((line) => line.startsWith('group,'));
      expect([group[0], group.at(-1)]).toEqual([
        'group,GROUP,FIREWALL,BACKUP,0,',
        'group,GROUP,FIREWALL,STOP,0,',
      ]);
      expect(told.filter((line) => line === 'inside is master,').length).toBeGreaterThan(2);
    }
  });

  test('cloud: unicast, password, nopreempt, a tracked file', async () => {
    await playBoth('kcloud', playCloud);
  });

  test('the virtual server serves, and its sorry server when the other is down', async () => {
    await within('kserve', playServer);
  });
});
