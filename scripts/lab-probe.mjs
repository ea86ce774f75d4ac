/**
 * The lab's client. Sends and counts, then prints one line a target.
 *
 *   node scripts/lab-probe.mjs load  SECONDS TARGET...     requests as fast as four loops go; who answered
 *   node scripts/lab-probe.mjs watch SECONDS TARGET...     probes at a steady pace; the longest silence
 *
 * Exit status 1: not every backend answered on every target (load), or a target was silent for more than
 * three seconds (watch).
 *
 * A target is tcp://ADDRESS:PORT (an HTTP request on a connection of its own) or udp://ADDRESS:PORT (an
 * echo). `watch` sends UDP every 2 ms and HTTP every 10 ms, and prints "ready" when each target has
 * answered, so that a script can break something then.
 */
import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_MS = 1_000;
const BACKENDS = 3;
const SILENCE_MS = 3_000;
const WATCH_MS = { udp: 2, tcp: 10 };

const [mode, seconds, ...urls] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1_000;

/** One HTTP request; resolves to the name that answered, or null. */
function askHttp({ host, port }, timeoutMs) {
  return new Promise((resolve) => {
    const request = get({ host, port, path: '/', agent: false, timeout: timeoutMs }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('end', () => resolve(response.statusCode === 200 ? body.trim() : null));
      response.once('error', () => resolve(null));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(null));
  });
}

/** One datagram from a port of its own (a new session); resolves to the name that answered, or null. */
function askUdp({ host, port }, timeoutMs) {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const done = (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => done(null), timeoutMs);
    socket.once('message', (message) => done(message.toString('latin1').split(' ')[0]));
    socket.once('error', () => done(null));
    socket.send('hello', port, host);
  });
}

const lines = new Map();

/** Printed at the end, in the order of the command line. */
function report(target, text, ok) {
  lines.set(target, `    ${target.url.padEnd(28)} ${text}`);
  if (!ok) process.exitCode = 1;
}

/** How often each backend answered, with four loops a target. */
async function load(target) {
  const tally = {};
  let failed = 0;
  const ask = target.kind === 'tcp' ? askHttp : askUdp;
  const loop = async () => {
    while (performance.now() < until) {
      const name = await ask(target, ANSWER_MS);
      if (name === null) failed += 1;
      else tally[name] = (tally[name] ?? 0) + 1;
    }
  };
  await Promise.all([loop(), loop(), loop(), loop()]);
  const names = Object.keys(tally).sort();
  const text = names.map((name) => `${name} ${tally[name]}`).join('   ') || 'nobody answered';
  report(target, `${text}${failed > 0 ? `   (${failed} without an answer)` : ''}`, names.length === BACKENDS);
}

/** Answers seen and the longest time without one; `onFirst` at the first. */
class Silence {
  answered = 0;
  longestMs = 0;
  #last = null;
  #onFirst;

  constructor(onFirst) {
    this.#onFirst = onFirst;
  }

  heard() {
    const now = performance.now();
    if (this.#last === null) this.#onFirst();
    else this.longestMs = Math.max(this.longestMs, now - this.#last);
    this.#last = now;
    this.answered += 1;
  }

  /** The time between the last answer and `end` counts too: a service that never came back. */
  finish(end) {
    if (this.#last !== null) this.longestMs = Math.max(this.longestMs, end - this.#last);
    return Math.round(this.longestMs);
  }
}

function reportSilence(target, sent, silence, end) {
  const ms = silence.finish(end);
  const lost = sent - silence.answered;
  const text = `longest silence ${String(ms).padStart(4)} ms, ${lost} of ${sent} probes lost`;
  report(target, text, silence.answered > 0 && ms <= SILENCE_MS);
}

async function watchUdp(target, onFirst) {
  const silence = new Silence(onFirst);
  const socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
  // unreachable now is what is being measured, not a failure of the probe
  socket.on('error', () => undefined);
  socket.on('message', () => silence.heard());
  let sent = 0;
  while (performance.now() < until) {
    socket.send(String(sent), target.port, target.host);
    sent += 1;
    await sleep(WATCH_MS.udp);
  }
  const end = performance.now();
  await sleep(200); // answers still on their way
  socket.close();
  reportSilence(target, sent, silence, end);
}

/** A new connection every few milliseconds, without waiting for the one before. */
async function watchTcp(target, onFirst) {
  const silence = new Silence(onFirst);
  const running = new Set();
  let sent = 0;
  while (performance.now() < until) {
    sent += 1;
    const one = askHttp(target, ANSWER_MS).then((answer) => {
      if (answer !== null) silence.heard();
      running.delete(one);
    });
    running.add(one);
    await sleep(WATCH_MS.tcp);
  }
  const end = performance.now();
  await Promise.all(running);
  reportSilence(target, sent, silence, end);
}

function parse(url) {
  const found = /^(tcp|udp):\/\/\[?([0-9a-fA-F:.]+?)\]?:(\d+)$/.exec(url);
  if (found === null) throw new Error(`not a target: ${url}`);
  return { url, kind: found[1], host: found[2], port: Number(found[3]) };
}

const targets = urls.map(parse);
if (mode === 'load') {
  await Promise.all(targets.map(load));
} else if (mode === 'watch') {
  let waiting = targets.length;
  const onFirst = () => {
    waiting -= 1;
    if (waiting === 0) console.log('ready');
  };
  const watch = (target) => (target.kind === 'udp' ? watchUdp : watchTcp)(target, onFirst);
  await Promise.all(targets.map(watch));
} else {
  console.error('usage: lab-probe.mjs load|watch SECONDS TARGET...');
  process.exitCode = 64;
}
for (const target of targets) if (lines.has(target)) console.log(lines.get(target));
