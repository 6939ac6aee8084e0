/** Holds that the auditor shares no code with what it audits: the adapters, scanners and parsers of the chains. */

import { expect, test } from 'vitest'
import { type Import, importsOf, readImports } from './imports.js'

/** Files by which the auditor reads chains, keeps what it read, and compares. */
const AUDITOR = /^(?:auditor|db\/auditor|activities\/books\/audit)\//
/** What the platform reads chains with. */
const AUDITED = /^(?:chains|activities\/chain)\//

function violations(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, to }) => AUDITOR.test(from) && AUDITED.test(to))
    .map(({ from, to }) => `${from} imports ${to}`)
}

/** Returns everything that the files of the room `auditor/` reach. */
function reached(imports: readonly Import[]): Set<string> {
  const found = new Set(imports.map(({ from }) => from).filter((path) => path.startsWith('auditor/')))
  for (const path of found) for (const { from, to } of imports) if (from === path) found.add(to)
  return found
}

test('imports nothing of the chains, types included', () => {
  const imports = readImports()
  expect(imports.some(({ from }) => AUDITOR.test(from))).toBe(true)
  expect(violations(imports)).toEqual([])
  const outside = [...reached(imports)].filter((path) => !/^(?:auditor|domain|networks)\//.test(path))
  expect(outside).toEqual([])
})

test('finds an import of a scanner or a parser', () => {
  const wrong = importsOf('auditor/a.ts', "import type { Block } from '../chains/adapter.js'\n")
  expect(violations(wrong)).toEqual(['auditor/a.ts imports chains/adapter.ts'])
  const scan = importsOf('activities/books/audit/a.ts', "import { b } from '../../chain/advance-chain.js'\n")
  expect(violations(scan)).toEqual(['activities/books/audit/a.ts imports activities/chain/advance-chain.ts'])
})
