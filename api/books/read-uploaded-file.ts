/** Reads an uploaded file, CSV or NDJSON, line by line, so that memory does not grow with it. */

import type { FileHandle } from 'node:fs/promises'
import { restoreText } from '../../domain/books/csv.js'
import { CsvError, CsvReader } from '../../domain/books/read-csv.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Upload } from '../context.js'
import { checkJson } from '../middleware/check-json.js'

/** A line of the file with its fields, or the reason why it has none. */
export interface FileLine {
  readonly line: number
  readonly fields: Readonly<Record<string, unknown>> | string
}

/** Characters of the longest line. A route whose lines are longer says so. */
const MOST_LENGTH = 65_536
/** Bytes that are read at a time. */
const CHUNK = 65_536

/** Columns that a CSV may have, those that it must have, and the limit of a line of either format. */
export interface FileColumns {
  readonly columns: readonly string[]
  readonly required: readonly string[]
  /** Most characters of a line. Default: 65,536. */
  readonly mostLength?: number
}

/** Yields the lines of a file, some at a time. @throws KeyturnError `VALIDATION_FAILED` if it cannot be read. */
export async function* readUploadedFile(upload: Upload, expected: FileColumns): AsyncGenerator<FileLine[]> {
  const read = upload.format === 'csv' ? csvLines(expected) : jsonLines(expected.mostLength ?? MOST_LENGTH)
  try {
    for await (const text of texts(upload.file)) yield read.push(text)
    yield read.end()
  } catch (error) {
    if (error instanceof CsvError) throw refused(`Line ${error.line} of the file ${error.message}`)
    throw error
  }
}

interface LineReader {
  push(text: string): FileLine[]
  end(): FileLine[]
}

/** Yields the bytes of the file from its begin. */
async function* chunks(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(CHUNK), position })
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function* texts(file: FileHandle): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    for await (const chunk of chunks(file)) yield decoder.decode(chunk, { stream: true })
    yield decoder.decode()
  } catch (error) {
    if (error instanceof TypeError) throw refused('The file is not UTF-8')
    throw error
  }
}

function csvLines(expected: FileColumns): LineReader {
  const reader = new CsvReader(expected.mostLength ?? MOST_LENGTH)
  let head: readonly string[] | null = null
  const take = (records: ReturnType<CsvReader['push']>): FileLine[] =>
    records.flatMap(({ line, cells }): FileLine[] => {
      if (head === null) {
        head = checkHead(cells, expected)
        return []
      }
      if (cells.length !== head.length)
        return [{ line, fields: `has ${cells.length} cells instead of ${head.length}` }]
      return [
        { line, fields: Object.fromEntries(head.map((name, at) => [name, restoreText(cells[at] ?? '')])) },
      ]
    })
  return {
    push: (text) => take(reader.push(text)),
    end: () => {
      const lines = take(reader.end())
      if (head === null) throw refused('The file has no head line')
      return lines
    },
  }
}

function checkHead(cells: readonly string[], { columns, required }: FileColumns): readonly string[] {
  const head = cells.map((cell) => cell.trim())
  const unknown = head.find((name) => !columns.includes(name))
  if (unknown !== undefined)
    throw refused(`The file has the unknown column ${JSON.stringify(unknown.slice(0, 100))}`)
  const missing = required.find((name) => !head.includes(name))
  if (missing !== undefined) throw refused(`The file has no column ${missing}`)
  if (new Set(head).size !== head.length) throw refused('The file has a column twice')
  return head
}

function jsonLines(mostLength: number): LineReader {
  let rest = ''
  let line = 0
  const tooLong = (number: number) =>
    refused(`Line ${number} of the file is longer than ${mostLength} characters`)
  const take = (text: string): FileLine[] => {
    line++
    if (text.length > mostLength) throw tooLong(line)
    const trimmed = text.trim()
    return trimmed === '' ? [] : [{ line, fields: parseLine(trimmed) }]
  }
  return {
    push: (text) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      const lines = parts.flatMap(take)
      if (rest.length > mostLength) throw tooLong(line + 1)
      return lines
    },
    end: () => take(rest),
  }
}

function parseLine(text: string): FileLine['fields'] {
  const reason = checkJson(text)
  if (reason !== null) return reason
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'is not valid JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no JSON object'
  return value as Record<string, unknown>
}

/** Creates the error about a file that is refused as a whole. */
export function refused(reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `Correct the file and send it again: ${reason}`, {
    details: { in: 'body', fields: [{ path: '', reason }] },
  })
}
