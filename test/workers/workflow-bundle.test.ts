import { readFile, stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

test('workflow code stays small: no parser of chains, keys or schemas gets into it', async () => {
  const path = await loadWorkflowBundle()
  // Each workflow's context loads all of it. Measured 1.6 MB, of which Temporal's own packages are nearly all.
  expect((await stat(path)).size).toBeLessThan(2_500_000)
  const code = await readFile(path, 'utf8')
  for (const name of [
    'zod',
    'viem',
    'bitcoinjs-lib',
    'tiny-secp256k1',
    'undici',
    'postgres',
    'pino',
    '@noble/hashes',
  ]) {
    expect(code).not.toContain(`node_modules/${name}/`)
  }
})

test('the bundle is made once and kept', async () => {
  const path = await loadWorkflowBundle()
  const { mtimeMs } = await stat(path)
  expect(await loadWorkflowBundle()).toBe(path)
  expect((await stat(path)).mtimeMs).toBe(mtimeMs)
  expect(await loadWorkflowBundle('dist/workflows.js')).toBe('dist/workflows.js')
})
