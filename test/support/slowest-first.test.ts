/** The list of slow files, which run first. */

import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SLOWEST } from './slowest-first.js'

test('names files that exist', () => {
  const missing = SLOWEST.filter((name) => !existsSync(new URL(`../${name}.test.ts`, import.meta.url)))
  expect(missing).toEqual([])
})
