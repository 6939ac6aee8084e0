/**
 * Follows every link of every page to a file and a heading that are there, and every path of code that a page
 * names.
 */

import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { projectFiles, readProjectFile } from '../tidy/project-files.js'

const files = projectFiles('')
const pages = projectFiles('.md')

/** Returns the links of a page that lead nowhere; links to other sites are not followed. */
function broken(path: string, text: string): string[] {
  return [...text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link) && !leads(path, text, link))
    .map((link) => `${path}: ${link}`)
}

function leads(path: string, text: string, link: string): boolean {
  const [page = '', anchor] = link.split('#')
  const target = page === '' ? path : posix.join(posix.dirname(path), page)
  if (page !== '' && !exists(target)) return false
  return anchor === undefined || anchorsOf(page === '' ? text : readProjectFile(target)).includes(anchor)
}

/** Returns the anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

/** Returns the files and folders of code that a page names in backticks, and that are not there. */
function absent(path: string, text: string): string[] {
  const rooms = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]))
  return [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([\w.-]+(?:\/[\w.-]+)*\/?)`/g)]
    .map(([, name = '']) => name)
    .filter((name) => name.includes('/') && (/\.(?:ts|mjs|sql|yml)$/.test(name) || name.endsWith('/')))
    .filter((name) => rooms.has(name.split('/')[0]))
    .filter((name) => ![name, posix.join(posix.dirname(path), name)].some(exists))
    .map((name) => `${path}: ${name}`)
}

function exists(name: string): boolean {
  return files.includes(name) || files.some((file) => file.startsWith(name.replace(/\/?$/, '/')))
}

test('resolves every link of every page', () => {
  expect(pages.length).toBeGreaterThan(20)
  expect(pages.flatMap((path) => broken(path, readProjectFile(path)))).toEqual([])
})

test('finds a link to a missing page or heading', () => {
  const text =
    '# One thing: `x`\n[a](architecture.md) [b](#one-thing-x) [c](no-page.md) [d](#two) [e](https://a.b)'
  expect(broken('docs/page.md', text)).toEqual(['docs/page.md: no-page.md', 'docs/page.md: #two'])
})

test('every path of code on a page is there', () => {
  const checked = pages.filter((path) => !['CHANGELOG.md', 'STYLE.md'].includes(path))
  expect(checked.flatMap((path) => absent(path, readProjectFile(path)))).toEqual([])
})

test('finds a path of code that is not there', () => {
  const text =
    'See `domain/errors.ts`, `domain/no-such-file.ts`, `db/no-street/` and `docs/configuration.md`.'
  expect(absent('docs/page.md', text)).toEqual([
    'docs/page.md: domain/no-such-file.ts',
    'docs/page.md: db/no-street/',
  ])
})
