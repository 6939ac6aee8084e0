/** Files of either format are read in any encoding that is UTF-8, and are refused in any other one. */

import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FileLine, readUploadedFile } from '../../../api/books/read-uploaded-file.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Reads a file of these bytes. */
async function read(format: 'csv' | 'ndjson', content: string | Uint8Array): Promise<FileLine[]> {
  const path = join(directory, 'file')
  await writeFile(path, content)
  const file: FileHandle = await open(path)
  try {
    const lines: FileLine[] = []
    const bytes = (await file.stat()).size
    for await (const some of readUploadedFile(
      { file, bytes, format },
      { columns: ['id', 'note'], required: ['id'] },
    ))
      lines.push(...some)
    return lines
  } finally {
    await file.close()
  }
}
const latin1 = (text: string) => Buffer.from(text, 'latin1')

describe('the encoding', () => {
  test('may have a byte order mark', async () => {
    expect(await read('csv', '\uFEFFid,note\r\n1,é\r\n')).toEqual([
      { line: 2, fields: { id: '1', note: 'é' } },
    ])
    expect(await read('ndjson', '\uFEFF{"id":"1"}\n')).toEqual([{ line: 1, fields: { id: '1' } }])
  })

  test.each([
    ['Latin-1', latin1('id,note\r\n1,Müller\r\n'), latin1('{"id":"Müller"}\n')],
    [
      'UTF-16 with a mark',
      Buffer.from('\uFEFFid,note\r\n1,2\r\n', 'utf16le'),
      Buffer.from('\uFEFF{"id":"1"}\n', 'utf16le'),
    ],
    [
      'a letter that is cut off',
      Buffer.from('id\r\né').subarray(0, -1),
      Buffer.from('{"id":"é').subarray(0, -1),
    ],
  ])('is refused in %s', async (_name, csv, ndjson) => {
    await expect(read('csv', csv)).rejects.toThrow('The file is not UTF-8')
    await expect(read('ndjson', ndjson)).rejects.toThrow('The file is not UTF-8')
  })

  test('is refused in UTF-16 without a mark, because the head has unknown columns', async () => {
    await expect(read('csv', Buffer.from('id,note\r\n1,2\r\n', 'utf16le'))).rejects.toThrow('unknown column')
  })

  test.each([0, 1, 2, 3])(
    'may split a letter of four bytes after %i of them between pieces',
    async (before) => {
      const csvHead = 'id,note\r\n'
      // A piece has 65,536 bytes. Short lines fill it, and the last one pushes the letter over its end.
      const fill = (taken: number) => {
        const rest = 65_536 - taken - before
        const lines = Math.floor(rest / 100) - 1
        return { lines, last: 'x'.repeat(rest - lines * 100) }
      }
      const csv = fill(csvHead.length + 2)
      const text = `${csvHead}${`${'1'.repeat(97)},\r\n`.repeat(csv.lines)}1,${csv.last}\u{1F600}\r\n`
      const lines = await read('csv', text)
      expect(Buffer.from(text).indexOf(0xf0)).toBe(65_536 - before)
      expect(lines.at(-1)).toEqual({
        line: csv.lines + 2,
        fields: { id: '1', note: `${csv.last}\u{1F600}` },
      })
    },
  )
})

describe('a line', () => {
  test('has at most 65,536 characters', async () => {
    const note = 'x'.repeat(70_000)
    await expect(read('csv', `id,note\n1,${note}\n2,3\n`)).rejects.toThrow(
      'Line 2 of the file is longer than',
    )
    await expect(read('ndjson', `{"id":"1"}\n{"id":"${note}"}\n{"id":"2"}\n`)).rejects.toThrow(
      'Line 2 of the file is longer than',
    )
    await expect(read('csv', `id,note\n1,"${note.repeat(3)}`)).rejects.toThrow(
      'Line 2 of the file is longer than',
    )
  })

  test('of NDJSON that names a field twice is rejected, and the others are taken', async () => {
    expect(await read('ndjson', '{"id":"1","id":"2"}\n{"id":"3"}\n')).toEqual([
      { line: 1, fields: expect.stringContaining('"id" twice') },
      { line: 2, fields: { id: '3' } },
    ])
  })

  test('of CSV may end in a carriage return alone', async () => {
    expect(await read('csv', 'id,note\r1,a\r2,b\r')).toEqual([
      { line: 2, fields: { id: '1', note: 'a' } },
      { line: 3, fields: { id: '2', note: 'b' } },
    ])
  })

  test('of NDJSON may end in either way, and empty ones are left out', async () => {
    expect(await read('ndjson', '{"id":"1"}\r\n\n{"id":"2"}')).toEqual([
      { line: 1, fields: { id: '1' } },
      { line: 3, fields: { id: '2' } },
    ])
  })
})
