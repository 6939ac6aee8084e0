/** Follows every link of every page: to a file that is there, and to a heading that the page has. */

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
  if (page !== '' && !files.includes(target) && !files.some((file) => file.startsWith(`${target}/`))) {
    return false
  }
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

test('every link of every page leads somewhere', () => {
  expect(pages.length).toBeGreaterThan(20)
  expect(pages.flatMap((path) => broken(path, readProjectFile(path)))).toEqual([])
})

test('finds a link to a page or a heading that is not there', () => {
  const text =
    '# One thing: `x`\n[a](architecture.md) [b](#one-thing-x) [c](no-page.md) [d](#two) [e](https://a.b)'
  expect(broken('docs/page.md', text)).toEqual(['docs/page.md: no-page.md', 'docs/page.md: #two'])
})
