/** Which tests run together, and which run alone after all others. */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { quietForks } from './test/support/quiet-forks.js'
import { SlowestFirst } from './test/support/slowest-first.js'

/** Tests that start whole stacks: alone, after all others, so that they measure nothing but themselves. */
const STACK_TESTS = [
  'test/local/start.test.ts',
  'test/examples/examples.test.ts',
  'test/fault/kill-everything.test.ts',
  'test/fault/unreliable-nodes.test.ts',
  'test/fault/month-of-a-shop.test.ts',
]

export default defineConfig({
  resolve: {
    // As tsconfig.json: the examples import the package by its name, and it is not built here.
    alias: [
      {
        find: /^@keyturn\/client$/,
        replacement: fileURLToPath(new URL('./client/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    // `KEYTURN_TEST_OUTPUT=1` shows the output of all files while they run.
    ...(process.env.KEYTURN_TEST_OUTPUT
      ? { pool: 'forks' as const }
      : { pool: quietForks, disableConsoleIntercept: true }),
    reporters: ['./test/support/show-failed-logs.ts', 'default', './test/support/show-slowest.ts'],
    sequence: { sequencer: SlowestFirst },
    setupFiles: ['./test/support/show-part-logs.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    slowTestThreshold: 5_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: STACK_TESTS,
          globalSetup: ['test/support/global-setup.ts'],
          // Two files at a time, each in a process of its own, on real parts.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'stack',
          include: STACK_TESTS,
          globalSetup: ['test/support/global-setup.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
