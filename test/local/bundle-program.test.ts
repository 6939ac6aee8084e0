/** Programs of the local stack run as bundles. */

import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { bundleProgram } from '../../local/bundle-program.js'
import { DEFAULT_NETWORKS_FILE } from '../../networks/load-networks.js'

test('keeps the place of each file, and finds packages', async () => {
  const file = await bundleProgram('networks/load-networks.ts')
  const bundled = (await import(pathToFileURL(file).href)) as typeof import('../../networks/load-networks.js')
  expect(bundled.DEFAULT_NETWORKS_FILE.href).toBe(DEFAULT_NETWORKS_FILE.href)
  expect((await bundled.loadNetworks()).size).toBeGreaterThan(0)
})

test('names a bundle by its content, with its source map', async () => {
  const [first, second, other] = await Promise.all([
    bundleProgram('local/sample-merchant.ts'),
    bundleProgram('local/sample-merchant.ts'),
    bundleProgram('networks/load-networks.ts'),
  ])
  expect(second).toBe(first)
  expect(other).not.toBe(first)
  const { sources } = JSON.parse(readFileSync(`${first}.map`, 'utf8')) as { sources: string[] }
  expect(sources.some((source) => source.endsWith('local/sample-merchant.ts'))).toBe(true)
})
