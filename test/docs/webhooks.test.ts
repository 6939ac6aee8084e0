/** Holds docs/operating/webhooks.md against the classes of failures. */

import { expect, test } from 'vitest'
import { FAILURE_CLASSES } from '../../domain/events/failure-class.js'
import { readProjectFile } from '../tidy/project-files.js'

test('says for each class of failures what to check first, who acts, what to do and how to verify it', () => {
  const [introduction = '', ...sections] = readProjectFile('docs/operating/webhooks.md').split(/^## /m)
  const named = new Map(sections.map((section) => [section.split('\n')[0] ?? '', section]))
  for (const name of FAILURE_CLASSES) {
    expect(introduction).toContain(`| [\`${name}\`](#${name}) |`)
    const rows = [...(named.get(name) ?? '').matchAll(/^\| ([a-z ]+) \| [^|]{20,} \|$/gm)].map(
      ([, row]) => row,
    )
    expect([name, ...rows]).toEqual([name, 'first check', 'owner', 'remedy', 'how to verify'])
  }
})
