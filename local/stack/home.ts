/** The directory in which a local stack keeps what survives a restart. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface Home {
  readonly path: string
  /** File that clients of the stack read. */
  readonly stackFile: string
  /** File with the secrets and ids that the first start makes. */
  readonly stateFile: string
  /** File with the processes that run, for the next start to clean up after a supervisor that was killed. */
  readonly processesFile: string
  /** Returns the path of a log. */
  log(name: string): string
  /** Returns the path of a file or directory. */
  file(...names: string[]): string
}

/** Opens `KEYTURN_HOME` (default `.keyturn`), and makes it with mode 700. */
export function openHome(path = process.env.KEYTURN_HOME || '.keyturn'): Home {
  const root = resolve(path)
  mkdirSync(join(root, 'logs'), { recursive: true, mode: 0o700 })
  return {
    path: root,
    stackFile: join(root, 'stack.json'),
    stateFile: join(root, 'state.json'),
    processesFile: join(root, 'processes.json'),
    log: (name) => join(root, 'logs', `${name}.log`),
    file: (...names) => join(root, ...names),
  }
}

/** Writes JSON with mode 600. The file is replaced at once, so a reader never sees half of it. */
export function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

/**
 * Reads JSON. Returns `null` when the file does not exist.
 *
 * @throws Error that names a file that is not JSON.
 */
export function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path} is damaged; --fresh starts from nothing`, { cause })
  }
}
