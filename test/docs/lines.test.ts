/** Holds the lines of pages to a length that a narrow window shows. */

import { expect, test } from 'vitest'
import { projectFiles, readProjectFile } from '../tidy/project-files.js'

const WIDTH = 100
/** Width of rows of tables, which cannot be broken. */
const WIDTH_OF_ROWS = 220

/**
 * Returns the lines that are too long. Blocks of JSON are shown as they are sent; a long word, as a payload
 * in hex, fits no line.
 */
function tooLong(path: string, text: string): string[] {
  const shown = text.replace(/```json\n[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, ''))
  return shown.split('\n').flatMap((line, index) => {
    const width = line.trimStart().startsWith('|') ? WIDTH_OF_ROWS : WIDTH
    const breaks = line.split(' ').every((word) => word.length <= WIDTH / 2)
    return line.length > width && breaks ? [`${path}:${index + 1} has ${line.length} characters`] : []
  })
}

test('keeps the lines of all pages short', () => {
  expect(projectFiles('.md').flatMap((path) => tooLong(path, readProjectFile(path)))).toEqual([])
})

test('finds a line that is too long, outside of tables', () => {
  expect(tooLong('a.md', `${'word '.repeat(21)}\n| ${'word '.repeat(21)}|\n${'x'.repeat(300)}`)).toEqual([
    'a.md:1 has 105 characters',
  ])
})
