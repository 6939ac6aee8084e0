/** Finds commands on PATH. */

import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'

/** Returns the path of a command. It skips npm's wrappers, which start further processes. */
export function findOnPath(command: string): string | null {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    if (!directory || directory.includes(`${sep}node_modules${sep}`)) continue
    const path = join(directory, command)
    if (isExecutable(path)) return path
  }
  return null
}

/** Whether a file exists and may be executed. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
