/** Where the output of a test file goes: a log of its own, which is shown when the file fails. */

import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Directory of the logs. A run replaces the logs of the files that it runs. */
export const LOG_DIRECTORY = join(ROOT, 'node_modules', '.cache', 'keyturn', 'test-logs')

/** Returns the path of a test file's log. */
export function fileLog(testFile: string, directory = LOG_DIRECTORY): string {
  return join(directory, `${relative(ROOT, resolve(testFile)).replaceAll(/[\\/]/g, '.')}.log`)
}
