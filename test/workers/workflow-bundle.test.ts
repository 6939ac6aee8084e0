/** The bundle of workflow code. */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { copyFile, mkdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContext, Script } from 'node:vm'
import { expect, test } from 'vitest'
import { loadWorkflowBundle, SOURCES, UnusableBundleError } from '../../workers/load-workflow-bundle.js'

test('keeps parsers of chains, keys and schemas out of the workflow bundle', async () => {
  const path = await loadWorkflowBundle()
  // Each workflow's context loads all of it. Measured 1.6 MB, of which Temporal's own packages are nearly
  // all.
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

test('holds only files whose change makes a new bundle', async () => {
  const code = await readFile(await loadWorkflowBundle(), 'utf8')
  const rooms = [...code.matchAll(/^\/\*\*\*\/ "\.\/([a-z]+)\/[^"]*\.ts"/gm)].map(([, room]) => room)
  expect(rooms).toContain('workflows')
  expect(SOURCES).toEqual(expect.arrayContaining([...new Set(rooms)]))
})

test('runs the module code of workflows once for all of them', async () => {
  const code = await readFile(await loadWorkflowBundle(), 'utf8')
  const cache: Record<string, unknown> = {}
  const context = createContext({
    __webpack_module_cache__: cache,
    TextEncoder,
    TextDecoder,
    AbortController,
  })
  new Script(code).runInContext(context)
  const ours = () => Object.keys(cache).filter((name) => /^\.\/workflows\//.test(name))
  expect(ours()).toEqual([])
  new Script('__TEMPORAL__.preloadModules()').runInContext(context)
  const loaded = Object.keys(cache)
  expect(loaded).toContain('./workflows/webhook-delivery.ts')
  new Script('__TEMPORAL__.importWorkflows()').runInContext(context)
  expect(Object.keys(cache)).toEqual(loaded)
})

test('keeps no state in the modules that workflows share', async () => {
  const code = await readFile(await loadWorkflowBundle(), 'utf8')
  const files = [...code.matchAll(/^\/\*\*\*\/ "\.\/([a-z]+\/[^"]*\.ts)"/gm)].map(([, file = '']) => file)
  expect(files).toContain('workflows/deposit.ts')
  const stateful = /^(export )?(let|var) |^(export )?const [^=]+(: [^=]+)?= (new |\[\]|\{\})/m
  for (const file of files) {
    expect(
      stateful.exec(await readFile(new URL(`../../${file}`, import.meta.url), 'utf8'))?.[0],
      file,
    ).toBeUndefined()
  }
})

test('builds the bundle once and caches it', async () => {
  const path = await loadWorkflowBundle()
  const { mtimeMs } = await stat(path)
  expect(await loadWorkflowBundle()).toBe(path)
  expect((await stat(path)).mtimeMs).toBe(mtimeMs)
  const cache = mkdtempSync(join(tmpdir(), 'keyturn-bundle-'))
  const elsewhere = join(cache, 'built.js')
  await copyFile(path, elsewhere)
  expect(await loadWorkflowBundle(elsewhere)).toBe(elsewhere)
})

test('keeps bundles that another running process uses and removes the others', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'keyturn-bundles-'))
  const bundle = await loadWorkflowBundle()
  const earlier = async (name: string, user: number | null) => {
    const path = join(cache, `workflows-${name}.js`)
    await copyFile(bundle, path)
    const lastWeek = new Date(Date.now() - 7 * 86_400_000)
    await utimes(path, lastWeek, lastWeek)
    if (user !== null) {
      await mkdir(join(cache, `workflows-${name}.users`))
      const marker = join(cache, `workflows-${name}.users`, String(user))
      await writeFile(marker, '')
      await utimes(marker, lastWeek, lastWeek)
    }
    return path
  }
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
  const used = await earlier('aaaaaaaaaaaaaaaa', other.pid ?? 0)
  const unused = await earlier('bbbbbbbbbbbbbbbb', null)
  const abandoned = await earlier('cccccccccccccccc', 999_999_999)
  const made = await loadWorkflowBundle(null, { cache })
  expect([used, unused, abandoned, made].map((each) => existsSync(each))).toEqual([true, false, false, true])
  // A worker of the other stack that is restarted finds what it was started with.
  expect(await loadWorkflowBundle(used, { cache })).toBe(used)
  other.kill()
}, 120_000)

test('rebuilds a cached bundle that is missing or cut short, and reports a built one that is', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'keyturn-bundles-'))
  const gone = join(cache, 'workflows-dddddddddddddddd.js')
  const made = await loadWorkflowBundle(gone, { cache })
  expect(await readFile(made, 'utf8')).toContain('importWorkflows')
  await truncate(made, 100_000)
  expect(await loadWorkflowBundle(made, { cache })).toBe(made)
  expect((await stat(made)).size).toBeGreaterThan(100_000)

  const built = join(cache, 'dist', 'workflows.js')
  await expect(loadWorkflowBundle(built, { cache })).rejects.toThrow(
    /KEYTURN_WORKFLOW_BUNDLE names .*ENOENT.*npm run build/,
  )
  await mkdir(join(cache, 'dist'))
  await writeFile(built, 'export {}')
  await expect(loadWorkflowBundle(built, { cache })).rejects.toThrow(UnusableBundleError)
}, 120_000)
