/**
 * Holds docs/configuration.md against the code: each variable and key stands there once, with the default
 * that it has.
 */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadNetworks } from '../../networks/load-networks.js'
import { projectFiles } from '../tidy/project-files.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/configuration.md')
const rows = page.split('\n').filter((line) => line.startsWith('|'))

/** Whether a row of a table has a name in its first column. */
const isListed = (name: string) => rows.some((row) => row.split('|')[1]?.includes(`\`${name}\``))

function unlisted(names: Iterable<string>): string[] {
  return [...new Set(names)].filter((name) => !isListed(name))
}

test('lists every variable of the environment', () => {
  const names = [...read('config/load-environment.ts').matchAll(/^ {2}(KEYTURN_[A-Z_]+):/gm)].map(
    (match) => match[1] ?? '',
  )
  expect(names.length).toBeGreaterThan(20)
  expect(unlisted(names)).toEqual([])
})

test('documents each variable of the code once, and no other', () => {
  const named = new Set(
    projectFiles('.ts', '.mjs', '.yml')
      .filter((path) => path !== 'test/docs/configuration.test.ts')
      .flatMap((path) =>
        [...read(path).matchAll(/(?<!\w)KEYTURN_[A-Z_0-9]*[A-Z0-9]\b(?!_)/g)].map(([name]) => name),
      ),
  )
  const listed = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(KEYTURN_[A-Z_0-9]+)`/g)].map(([, name]) => name),
  )
  // The beginning of several names, from a pattern in the local stack.
  named.delete('KEYTURN_SIGNER')
  expect(listed.toSorted()).toEqual([...named].sort())
})

test('lists each variable once in a table, and each duration with the default of the code', () => {
  const tables = page.split(/^#+ .*$/m)
  for (const table of tables) {
    const named = [...table.matchAll(/^\| `(KEYTURN_[A-Z_]+)`/gm)].map((match) => match[1])
    expect(named).toEqual([...new Set(named)])
  }
  const source = read('config/load-environment.ts')
  const durations = [...source.matchAll(/^ {2}(KEYTURN_[A-Z_]+): duration\('([^']+)'\)/gm)]
  expect(durations.length).toBeGreaterThan(10)
  for (const [, name, fallback] of durations) {
    const row = rows.find((each) => each.split('|')[1]?.includes(`\`${name}\``))
    expect(row?.split('|')[2], name).toContain(`\`${fallback}\``)
  }
})

test('names the sweep interval that the local stack sets', () => {
  const interval = /KEYTURN_SWEEP_INTERVAL: '([^']+)'/.exec(read('local/stack/platform-environment.ts'))?.[1]
  const seconds = /a sweep every\s+(\d+) s\b/.exec(page)?.[1]
  expect(`${seconds}s`).toBe(interval)
})

test('lists every variable of the networks file with its default', () => {
  const found = [...read('config/networks.yml').matchAll(/\$\{([A-Z0-9_]+)(?::-([^}]*))?\}/g)].filter(
    ([, name]) => name !== 'NAME',
  )
  expect(found.length).toBeGreaterThan(25)
  expect(unlisted(found.map(([, name]) => name ?? ''))).toEqual([])
  for (const [, name, fallback] of found) {
    const row = rows.find((each) => each.split('|')[1]?.includes(`\`${name}\``))
    const shown = fallback?.startsWith('0x') ? 'the main network' : `\`${fallback}\``
    expect(row, name).toContain(shown)
  }
})

test('lists every key of the networks file', () => {
  const source = read('networks/networks-schema.ts')
  const schemas = source.slice(source.indexOf('const coin ='), source.indexOf('export const networksFile ='))
  const keys = [...schemas.matchAll(/^\s+([a-z][a-z0-9_]*):/gm)].map((match) => match[1] ?? '')
  // Parts of a value that has its own row.
  const inside = ['contract', 'decimals', 'dust', 'minimum', 'fees', 'tokens', 'replacement', 'treasury']
  const shown = keys.filter((key) => !inside.includes(key))
  expect(shown.length).toBeGreaterThan(25)
  const missing = shown.filter(
    (key) =>
      !rows.some((row) => new RegExp(`\`(fees\\.|replacement\\.)?${key}\``).test(row.split('|')[1] ?? '')),
  )
  expect(missing).toEqual([])
  for (const key of inside) expect(page).toContain(key)
})

test('shows entries in docs/operating/adding-a-network.md that the platform can read', async () => {
  const shown = read('docs/operating/adding-a-network.md')
  const networks = await loadNetworks(undefined, { POLYGON_ENABLED: 'true' })
  const polygon = networks.get('polygon')
  expect(polygon?.confirmations).toBe(100)
  expect(shown).toContain('{POLYGON_CONFIRMATIONS:-100}')
  expect(shown).toContain(polygon?.coins[1]?.contract)
})
