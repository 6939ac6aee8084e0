/** Holds that each file says on its first line what it does. */

import { expect, test } from 'vitest'
import { projectFiles, readProjectFile } from './project-files.js'

/** A file of one check of the signer: the comment of its export is its head. */
const CHECK = /^signer\/checks\/\w+\//

/** Whether a text begins with a comment that is a sentence; the line that names an interpreter may come before. */
function hasHead(path: string, text: string): boolean {
  if (CHECK.test(path) && /\*\/\nexport const \w+: Check</m.test(text)) return true
  const start = text.replace(/^#!.*\n/, '').trimStart()
  const head = path.endsWith('.sql')
    ? /^--\s*(.*)/.exec(start)?.[1]
    : /^\/\*\*([\s\S]*?)\*\//.exec(start)?.[1]
  return head !== undefined && /\w+\W+\w+/.test(head)
}

test('each file begins with a comment', () => {
  const without = projectFiles('.ts', '.mjs', '.sql').filter((path) => !hasHead(path, readProjectFile(path)))
  expect(without).toEqual([])
})

test('takes neither an import nor an empty comment for a head', () => {
  expect(hasHead('a.ts', "import { b } from './b.js'\n/** Says what it does. */\n")).toBe(false)
  expect(hasHead('a.ts', '/** */\nexport const a = 1\n')).toBe(false)
  expect(hasHead('signer/checks/evm/a.ts', '/** Says why. */\nexport const a: Check<EvmContext> = {')).toBe(
    true,
  )
  expect(hasHead('signer/checks/evm/a.ts', 'export const a: Check<EvmContext> = {')).toBe(false)
  expect(hasHead('a.mjs', '#!/usr/bin/env node\n/** Starts the stack. */\n')).toBe(true)
  expect(hasHead('a.sql', '-- Deposits and what follows from them.\nCREATE TABLE a ();\n')).toBe(true)
})
