/** Lets no file cite a document that this repository does not hold, so that a reader can follow each reference. */

import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { projectFiles, readProjectFile } from './project-files.js'
import { proseFiles } from './prose-files.js'

/** Phrases that point outside of the repository. */
const OUTSIDE: readonly RegExp[] = [
  /\bseeds? 0\d\d\b/i,
  /\bcontract,? sections?\b/i,
  /\bas the contract has\b/i,
  /\bthe contract (?:says|asks|shows|names|wants|gives)\b/i,
  /\bthe guide\b/i,
  /\bthe seed (?:says|has|asks|shows|names|wants)\b/i,
  /\bthe (?:issue|brief)\b/i,
  /\bsections? \d/i,
  /\/work\/(?:shared|main|wt)\b/,
]
/** Documents of others may be cited by their sections. */
const OF_OTHERS = /\b(?:RFC|BIP|EIP|ERC|CAIP|SLIP)[- ]?\d+,? sections? \d/i
const PAGE = /(?<![\w/.:-])((?:\.{0,2}\/)*(?:[\w-]+\/)*[\w-]+\.md)\b/g
/** Tests of the rules, which name pages that are not there on purpose, and the page of bad and good pairs. */
const SHOWS_THEM = ['test/tidy/', 'test/docs/', 'STYLE.md']

const files = projectFiles('')

function citationsIn(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const outside = OF_OTHERS.test(line) ? [] : OUTSIDE.flatMap((each) => each.exec(line)?.[0] ?? [])
    const absent = [...line.matchAll(PAGE)].map(([, page = '']) => page).filter((page) => !isHere(path, page))
    return [...outside, ...absent].map((cited) => `${path}:${index + 1}: "${cited}"`)
  })
}

/** Whether a page is a file of the repository, seen from its root or from the citing file. */
function isHere(path: string, page: string): boolean {
  return files.includes(page) || files.includes(posix.join(posix.dirname(path), page))
}

test('no file cites what the repository does not hold', () => {
  const cited = proseFiles().filter((path) => !SHOWS_THEM.some((shown) => path.startsWith(shown)))
  expect(cited.flatMap((path) => citationsIn(path, readProjectFile(path)))).toEqual([])
})

test('finds a citation of a document outside, and of a page that is not there', () => {
  expect(citationsIn('api/a.ts', '/** Balances (contract section 3). */')).toHaveLength(2)
  expect(citationsIn('api/a.ts', '/** As docs/nothing-of-the-kind.md says. */')).toEqual([
    'api/a.ts:1: "docs/nothing-of-the-kind.md"',
  ])
  expect(citationsIn('api/a.ts', '/** RFC 9110, section 15; README.md. */')).toEqual([])
})
