import { defineConfig } from 'vitest/config';

// `unit` runs anywhere; the others need root, network namespaces and real peers from Debian. `alone` and `interop` run one
// file at a time: what they count (every datagram of a handover), load or time must not compete with another file.
const ALONE = [
  'early-route',
  'handover*',
  'hard-cases',
  'partition',
  'relay-memory',
  'reload-under-load',
  'scheduling',
  'upgrade',
].map((name) => `test/integration/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,fuzz,simulation,scenarios}/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          // two files at a time: they mostly wait, each in namespaces of its own
          maxWorkers: 2,
          include: ['test/integration/**/*.test.ts'],
          exclude: ALONE,
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
