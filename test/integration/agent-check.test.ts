/**
 * `[service.agent_check]` in the real daemon: status, events, metrics and reload.
 *
 *   lb   tandem ──asks──► an agent on 127.0.0.1:9777 that says what is in a file, for two backends
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackendStatus } from '../../src/admin/contract.ts';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const AGENT = fileURLToPath(new URL('../support/line-agent.mjs', import.meta.url));
const [A, B] = ['127.0.0.1:9001', '127.0.0.1:9002'];
const toml = (interval: string): string => `
[[service]]
name = "web"
listen = ["127.0.0.1:8000"]
[service.agent_check]
port = 9777
interval = "${interval}"
[[service.backend]]
address = "${A}"
weight = 10
max_connections = 50
[[service.backend]]
address = "${B}"
agent_check = { enabled = false }
`;

describe.skipIf(missing() !== null)('agent checks of the daemon', () => {
  let lab: Lab;
  let host: Host;
  let agent: HostProcess;
  let daemon: Tandem;
  let file: string;

  beforeAll(async () => {
    lab = Lab.create('agent');
    host = lab.host('lb');
    file = join(lab.dir, 'line');
    writeFileSync(file, 'up ready\n');
    agent = host.spawn('agent', ['node', AGENT, file, '127.0.0.1', '9777']);
    daemon = await Tandem.start(lab, host, toml('100ms'));
  });

  afterAll(async () => {
    await lab?.destroy();
  });

  async function backend(id: string): Promise<BackendStatus> {
    const found = (await daemon.status()).services[0]?.backends.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no backend ${id}`);
    return found;
  }

  async function says(line: string, said: string): Promise<BackendStatus> {
    writeFileSync(file, `${line}\n`);
    await eventually(`the agent has said ${said}`, async () => (await backend(A)).agent?.said === said);
    return backend(A);
  }

  it('shows what the agent says in status, events and metrics, and does it', async () => {
    await says('up', 'up');
    expect((await backend(B)).agent).toBeNull();
    const light = await says('50% maxconn:7', 'up, 50%, maxconn:7');
    expect(light).toMatchObject({ weight: 10, effectiveWeight: 5, maxConnections: 7, eligible: true });
    const down = await says('fail # disk full', 'fail, 50%, maxconn:7 (disk full)');
    expect(down).toMatchObject({ eligible: false, health: 'unchecked', agent: { up: false } });
    await daemon.waitEligible('web', [B]);
    const events = await daemon.tandem('events');
    expect(events.stdout).toContain(`the agent of backend ${A} says fail, 50%, maxconn:7 (disk full)`);
    const metrics = await daemon.metrics();
    const labels = `service="web",backend="${A}"`;
    expect(metrics).toContain(`tandem_backend_agent_up{${labels}} 0`);
    expect(metrics).toContain(`tandem_backend_agent_weight_ratio{${labels}} 0.5`);
    expect(metrics).toMatch(/tandem_backend_agent_checks_total\{.*result="ok"\} \d+/);
    expect(metrics).not.toContain(`tandem_backend_agent_up{service="web",backend="${B}"}`);
    expect((await daemon.tandem('status')).stdout).toContain('agent: fail, 50%, maxconn:7 (disk full)');
    await says('up 100%', 'up, maxconn:7');
    await daemon.waitEligible('web', [A, B]);
  });

  it("keeps the operator's drain whatever the agent says, and what it said over a reload", async () => {
    expect((await daemon.tandem('drain', `web/${A}`)).status).toBe(0);
    await says('ready up 90%', 'up, 90%, maxconn:7');
    await daemon.waitEligible('web', [B]);
    await says('down', 'down, 90%, maxconn:7');
    await agent.stop();
    await eventually(
      'it does not answer',
      async () => (await backend(A)).agent?.fault === 'connection refused',
    );
    daemon.writeConfig(toml('200ms'));
    expect((await daemon.tandem('reload')).status).toBe(0);
    expect(await backend(A)).toMatchObject({ admin: 'ready', eligible: false, agent: { up: false } });
    expect((await daemon.tandem('ready', `web/${A}`)).status).toBe(0);
    await daemon.waitEligible('web', [A, B]);
  });

  it('is checked with the rest of the file', async () => {
    writeFileSync(join(lab.dir, 'bad.toml'), toml('100ms').replace('port = 9777\n', ''));
    const { status, stdout, stderr } = await host.run([
      'node',
      MAIN,
      'check',
      '--config',
      join(lab.dir, 'bad.toml'),
    ]);
    expect(status).toBe(64);
    expect(stdout + stderr).toContain('has no port to ask the agent on');
  });
});
