import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { MAX_WEIGHT } from '../model/failover.ts';
import { addressUrl, unicastAddress } from './addresses.ts';
import { notes } from './kinds.ts';
import { command, hour, interfaceName, path } from './schema-common.ts';
import { duration, flag, integer, name, oneOf, text } from './values.ts';

// [[failover.track]] and [failover.witness]: what else decides how good this node is.

/** What every kind of tracker has. */
const tracker = {
  name: name('a name for this tracker').describe('unique, in groups, status, events and metrics'),
  interval: duration(millis(100), hour).default(seconds(1)).describe('between looks'),
  rise: integer(1, 1_000)
    .default(2)
    .describe("looks in a row until it counts as up, or until a file's new number counts"),
  fall: integer(1, 1_000).default(2).describe('looks in a row until it counts as down'),
};

const trackWeight = (usual: number) =>
  integer(-MAX_WEIGHT, MAX_WEIGHT)
    .default(usual)
    .describe(
      "negative: added to the priority while down. Positive: added while up. 0: down is a fault, and the groups stand aside (Initialize). A file's number is multiplied with it; 0 makes every number but 0 a fault",
    );

/** What the trackers have that see something as up or down. */
const upOrDown = {
  weight: trackWeight(0),
  invert: flag()
    .default(false)
    .describe(
      'what is up counts as down, and the other way round; `rise`, `fall` and `weight` then go by that',
    ),
};

export const track = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('interface')
      .describe(
        'an interface with carrier; a program that ends with status 0; processes that run; a whole number in a file',
      ),
    ...tracker,
    ...upOrDown,
    interface: interfaceName.describe(''),
  }),
  z.strictObject({
    type: z.literal('script'),
    ...tracker,
    ...upOrDown,
    command: command()
      .default([])
      .describe("a program's absolute path and its arguments")
      .register(notes, { without: 'required' }),
    timeout: duration(millis(10), hour).optional().describe('').register(notes, { without: '`interval`' }),
  }),
  z.strictObject({
    type: z.literal('process'),
    ...tracker,
    ...upOrDown,
    process: text('the name or the command line of a process', 4_096).describe(
      'its name, of which the kernel keeps 15 bytes, or its whole command line, arguments joined by spaces',
    ),
    match: oneOf(['name', 'command']).default('name').describe('what is compared'),
    count: integer(1, 100_000).default(1).describe('at least so many run'),
  }),
  z.strictObject({
    type: z.literal('file'),
    ...tracker,
    weight: trackWeight(1),
    path: path('the path of a file').describe('one that is not there counts as 0'),
  }),
]);

/** What every kind of witness has. */
const witnessCheck = {
  interval: duration(millis(100), hour).default(seconds(1)).describe('between questions'),
  timeout: duration(millis(10), hour)
    .default(millis(500))
    .describe('for an answer')
    .register(notes, { to: '`interval`' }),
  fall: integer(1, 1_000).default(3).describe('questions without an answer in a row until it is lost'),
  rise: integer(1, 1_000).default(2).describe('answers in a row until it is back'),
  policy: oneOf(['resign', 'stay']).default('resign').describe('what an active node does when it is cut off'),
};

const TARGET = 'whom to ask, none of the two nodes; with `http` any answer below 500 will do';

export const witness = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('arp')
      .describe('how it is asked: ARP request or neighbour solicitation, ICMP echo, HTTP request'),
    target: unicastAddress().describe(TARGET),
    interface: interfaceName
      .optional()
      .describe('where to ask')
      .register(notes, { values: 'an interface', without: 'that of the groups' }),
    ...witnessCheck,
  }),
  z.strictObject({ type: z.literal('icmp'), target: unicastAddress().describe(TARGET), ...witnessCheck }),
  z.strictObject({ type: z.literal('http'), target: addressUrl().describe(TARGET), ...witnessCheck }),
]);
