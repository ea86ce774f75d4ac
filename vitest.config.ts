import { defineConfig } from 'vitest/config';

// Three projects: `unit` runs anywhere; `integration` and `interop` need root, network namespaces and real
// peers from Debian. `interop` runs one file at a time: keepalived's and FRR's timers must not compete with
// the load of another pair.
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
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
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
