/** Keeps words out of code, texts and pages that a reader would have to guess at. */

import { expect, test } from 'vitest'
import { readProjectFile } from './project-files.js'
import { proseFiles } from './prose-files.js'

/** Words that are not used, and what is used instead. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\banew\b/i, 'again, or a new one'],
  [/\bdearer\b/i, 'with a higher fee'],
  [/\bdearest\b/i, 'highest'],
  [/\bmend(?:s|ed|ing)?\b/i, 'correct, or repair'],
  [/\bwhoever\b/i, 'the person, key or process that acts'],
  [/\bwhomever\b/i, 'the person, key or process'],
  [/\bwhatever\b/i, 'the thing itself'],
  [/(?<![`'])\bnobody\b|\bnobody\b(?![`'])/i, 'no person, no signer, no wallet'],
  [/\bsomebody\b/i, 'a person, another key'],
  [/\bfor ever\b/i, 'permanently, without an end'],
  [/\btell(?:s|ing)?\b/i, 'notify, say, show, report'],
  [/\btold\b/i, 'notified, reported'],
  [/\bgatherings?\b/i, 'consolidation'],
  [/\bof before\b(?![()])/i, 'earlier'],
  [/\bsaid of\b/i, 'reported about'],
  [/\b(?:an?|the|each|every|first|last|later|next|one|this|further) look\b/i, 'check, or poll'],
]

/** The list itself, and the page that shows bad sentences beside good ones. */
const SHOWS_THEM = ['test/tidy/words.test.ts', 'STYLE.md']

function wordsIn(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) =>
    WORDS.flatMap(([pattern, instead]) => {
      const [found] = pattern.exec(line) ?? []
      return found === undefined ? [] : [`${path}:${index + 1}: "${found}": write ${instead}`]
    }),
  )
}

test('no file uses a word of the list', () => {
  const files = proseFiles().filter((path) => !SHOWS_THEM.includes(path))
  expect(files.length).toBeGreaterThan(5)
  expect(files.flatMap((path) => wordsIn(path, readProjectFile(path)))).toEqual([])
})

test('finds a word in a comment, in a text and on a page', () => {
  expect(wordsIn('a.ts', "/** Signs anew. */\nconst text = 'Nobody decides'\n")).toEqual([
    'a.ts:1: "anew": write again, or a new one',
    'a.ts:2: "Nobody": write no person, no signer, no wallet',
  ])
  expect(wordsIn('a.md', 'Each look finds the same.')).toHaveLength(1)
  expect(wordsIn('a.md', 'Recommend and amend; a deposit looks confirmed.')).toEqual([])
})
