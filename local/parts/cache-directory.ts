/** The directory that keeps built and downloaded parts. */

import { homedir } from 'node:os'
import { join } from 'node:path'

/** Returns the directory that runs and clones share: `KEYTURN_CACHE`, or `~/.cache/keyturn`. */
export function cacheDirectory(): string {
  return process.env.KEYTURN_CACHE || join(homedir(), '.cache', 'keyturn')
}
