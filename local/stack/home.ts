/** The directory in which a local stack keeps what survives a restart. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface Home {
  readonly path: string
  /** What clients of the stack read. */
  readonly stackFile: string
  /** Secrets and ids made at the first start. */
  readonly stateFile: string
  /** Who runs, for the next start to clean up after a supervisor that was killed. */
  readonly processesFile: string
  /** A log of this name. */
  log(name: string): string
  /** A file or directory of this name. */
  file(...names: string[]): string
}

/** Opens `KEYTURN_HOME` (default `.keyturn`), made with mode 700. */
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

/** Writes JSON with mode 600, all of it or nothing: a reader never sees half a file. */
export function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

/** Reads JSON; null when the file is not there. @throws Error that names a file which is not JSON. */
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
    throw new Error(`${path} is damaged; --fresh starts with an empty home`, { cause })
  }
}
