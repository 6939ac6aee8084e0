/**
 * Holds docs/reference/errors.md against the code table: a heading for each code, in its order, with its HTTP
 * status.
 */

import { expect, test } from 'vitest'
import { HTTP_STATUS } from '../../domain/errors.js'
import { readProjectFile } from '../tidy/project-files.js'

test('lists every error code once, with its status', () => {
  const page = readProjectFile('docs/reference/errors.md')
  const listed = [...page.matchAll(/^### `([A-Z_]+)`\n\*\*(\d{3})\.\*\* \S/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  expect(listed).toEqual(Object.entries(HTTP_STATUS))
})
