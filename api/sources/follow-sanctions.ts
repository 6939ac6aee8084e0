/** Keeps the list of sanctioned addresses as the file `KEYTURN_SANCTIONS_FILE` says. */

import { readFile, stat } from 'node:fs/promises'
import type { Sql } from '../../db/connect.js'
import { replaceSanctions } from '../../db/controls/sanctions/replace-sanctions.js'

/**
 * Makes a function that loads the file when it has changed since the last call.
 *
 * @returns The number of addresses, or null when nothing was loaded. @throws when the file cannot be read: then the list
 * that was there stays.
 */
export function followSanctions(sql: Sql, path: string): () => Promise<number | null> {
  let loaded = ''
  return async () => {
    const { mtimeMs, size } = await stat(path)
    const version = `${mtimeMs} ${size}`
    if (version === loaded) return null
    const count = await replaceSanctions(sql, await readFile(path, 'utf8'))
    loaded = version
    return count
  }
}
