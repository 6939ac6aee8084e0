/** Names the directory of built and downloaded parts. */

import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where built and downloaded parts are kept between runs and clones: `KEYTURN_CACHE`, else `~/.cache/keyturn`. */
export function cacheDirectory(): string {
  return process.env.KEYTURN_CACHE || join(homedir(), '.cache', 'keyturn')
}
