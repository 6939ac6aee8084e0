import { defineConfig } from 'vitest/config'

const shared = {
  pool: 'forks',
  globalSetup: ['test/support/global-setup.ts'],
  testTimeout: 60_000,
  hookTimeout: 120_000,
} as const

export default defineConfig({
  test: {
    // Two files at a time, each in a process of its own, on real parts.
    maxWorkers: 2,
    ...shared,
    include: ['test/**/*.test.ts'],
  },
})
