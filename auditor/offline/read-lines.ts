/** Reads an NDJSON export line by line, so that a file may be larger than the memory. */

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

export interface ReadLine {
  /** Line in the file, from 1. */
  readonly line: number
  /** Object of the line. `null` where it is no JSON object. */
  readonly value: Readonly<Record<string, unknown>> | null
}

/** Reads the lines that are not empty. @throws Error of the file system. */
export async function* readLines(path: string): AsyncGenerator<ReadLine> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  let line = 0
  for await (const text of lines) {
    line += 1
    if (text === '') continue
    yield { line, value: parseObject(text) }
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}
