/** Reads the text of a node's answer. */

import { isAscii } from 'node:buffer'

const UTF8 = new TextDecoder()

/** Reads a body as UTF-8. Nodes answer in ASCII nearly always, which needs only to be copied. */
export async function readText(body: { arrayBuffer(): Promise<ArrayBuffer> }): Promise<string> {
  const bytes = Buffer.from(await body.arrayBuffer())
  return isAscii(bytes) ? bytes.toString('latin1') : UTF8.decode(bytes)
}
