/**
 * Debian's headless Chromium on a host of the lab, driven over a pipe:
 *
 *   const browser = await startChromium(lab, hostA);
 *   const page = await browser.newPage();
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Host, Lab } from './netns.ts';

export const CHROMIUM = 'chromium-headless-shell';

/** Whoever starts it closes it; its profile goes with it. `evil.example` is this host's loopback: DNS rebinding. */
export async function startChromium(lab: Lab, host: Host): Promise<Browser> {
  // playwright wants one program: this one takes its arguments and the pipe into the namespace
  const wrapper = join(lab.dir, 'chromium');
  writeFileSync(wrapper, `#!/bin/sh\nexec ip netns exec ${host.ns} ${CHROMIUM} "$@"\n`);
  chmodSync(wrapper, 0o755);
  return chromium.launch({
    executablePath: wrapper,
    // Chromium's sandbox does not run as root, and there is nothing here but our own page
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
    timeout: 30_000,
  });
}
