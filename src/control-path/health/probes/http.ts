import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { errnoOf, messageOf } from '../../../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../../../lib/ip.ts';
import { encodeProxyHeader } from '../../../lib/proxy-header.ts';
import type { HttpProbeSpec } from '../../../model/health.ts';
import { type Body, checkBody, wantsBody } from '../body-check.ts';
import { failed, failedBy, type Probe, type ProbeOutcome, passed } from '../probe.ts';
import { failedTls, tlsOptions } from './tls.ts';

/** The body beyond this is not read. */
export const MAX_BODY = 1_048_576;

/**
 * One request on a connection of its own, closed afterwards. Redirects are not followed: what another host
 * answers says nothing about this backend. `node:http` rather than a pooling client, because nothing may
 * be kept alive or retried between two probes.
 */
export const probeHttp: Probe<HttpProbeSpec> = (spec, target, signal) =>
  new Promise((resolve) => {
    const exchange: ClientRequest = (spec.tls ? requestTls : request)(optionsFor(spec, target, signal));
    const finish = (outcome: ProbeOutcome): void => {
      resolve(outcome);
      exchange.destroy();
    };
    exchange.on('error', (error) => finish(outcomeOf(error, spec.tls)));
    exchange.once('close', () => resolve(failed('reset', 'connection closed before a response')));
    exchange.once('upgrade', (response) => finish(judgeStatus(spec, response) ?? passed('HTTP 101')));
    exchange.once('response', (response) => {
      const status = `HTTP ${response.statusCode ?? 0}`;
      const refused = judgeStatus(spec, response);
      if (refused !== null || !wantsBody(spec)) return finish(refused ?? passed(status));
      collect(response).then(
        (body) => finish(checkBody(spec, body) ?? passed(status)),
        (error: unknown) => finish(outcomeOf(error, spec.tls)),
      );
    });
    exchange.end();
  });

function optionsFor(spec: HttpProbeSpec, target: Endpoint, signal: AbortSignal): RequestOptions {
  const host = spec.host ?? formatEndpoint(target);
  const options: RequestOptions & { servername?: string; rejectUnauthorized?: boolean } = {
    host: target.address.text,
    port: target.port,
    method: spec.method,
    path: spec.path,
    agent: false,
    signal,
    setHost: false,
    headers: {
      Host: host,
      'User-Agent': 'tandem-health',
      Accept: '*/*',
      'Accept-Encoding': 'identity',
      Connection: 'close',
    },
  };
  if (!spec.tls) return withHeader(options, spec, (socket) => socket, target);
  const tls = tlsOptions(spec.host, spec.tlsVerify);
  return withHeader({ ...options, ...tls }, spec, (socket) => connectTls({ socket, ...tls }), target);
}

/** The PROXY header goes first, before TLS too: the server reads it before it knows what follows. */
function withHeader(
  options: RequestOptions,
  { sendProxy }: HttpProbeSpec,
  secure: (socket: Socket) => Socket,
  { address, port }: Endpoint,
): RequestOptions {
  if (sendProxy === null) return options;
  const open = (): Socket => {
    const socket = connect({ host: address.text, port });
    socket.write(encodeProxyHeader(sendProxy, null));
    return secure(socket);
  };
  // `createConnection` counts for a request without an agent alone
  const { agent: _, ...own } = options;
  return { ...own, createConnection: open };
}

function judgeStatus(spec: HttpProbeSpec, response: IncomingMessage): ProbeOutcome | null {
  const status = response.statusCode ?? 0;
  return spec.expectStatus.includes(status) ? null : failed('status', `HTTP ${status}`);
}

/** Reads at most MAX_BODY bytes; rejects when the body breaks off before its end. */
function collect(response: IncomingMessage): Promise<Body> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      const room = MAX_BODY - size;
      size += chunk.byteLength;
      chunks.push(chunk.byteLength > room ? chunk.subarray(0, room) : chunk);
      if (size > MAX_BODY) {
        response.removeAllListeners('data').pause();
        resolve({ bytes: Buffer.concat(chunks), cut: true });
      }
    });
    response.once('end', () => resolve({ bytes: Buffer.concat(chunks), cut: false }));
    response.on('error', reject);
  });
}

function outcomeOf(error: unknown, tls: boolean): ProbeOutcome {
  const code = errnoOf(error) ?? '';
  if (code.startsWith('HPE_')) return failed('protocol', `not HTTP: ${messageOf(error)}`);
  return tls ? failedTls(error) : failedBy(error, 'protocol');
}
