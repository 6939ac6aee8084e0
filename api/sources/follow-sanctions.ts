/** Keeps the list of sanctioned addresses equal to the file `KEYTURN_SANCTIONS_FILE`. */

import { readFile, stat } from 'node:fs/promises'
import type { Sql } from '../../db/connect.js'
import { replaceSanctions } from '../../db/controls/sanctions/replace-sanctions.js'

/**
 * Returns a function that loads the file if it has changed since the last call. The function returns the
 * number of addresses, or `null` if it loaded nothing. It throws if the file cannot be read, and the previous
 * list then stays.
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
