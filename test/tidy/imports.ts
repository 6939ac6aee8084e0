/** Reads which file of the project imports which, and whether it takes values or types alone. */

import { posix } from 'node:path'
import { projectFiles, readProjectFile } from './project-files.js'

/** One import or re-export of a file of the project. */
export interface Import {
  readonly from: string
  readonly to: string
  /** Whether only types are taken, so that nothing is left of it when the code runs. */
  readonly typesOnly: boolean
}

const STATEMENT = /^(?:import|export)\s+(type\s+)?([^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
/** Types inside of doc comments and signatures: `import('./x.js').Y`, and dynamic imports. */
const CALL = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

/** Returns every import between files of the project, packages of this workspace included. */
export function readImports(): Import[] {
  return projectFiles('.ts', '.mjs').flatMap((from) => importsOf(from, readProjectFile(from)))
}

/** Returns what one text imports from files of the project. */
export function importsOf(from: string, text: string): Import[] {
  const statements = [...text.matchAll(STATEMENT)].map(([, type, clause = '', target = '']) => ({
    target,
    typesOnly: type !== undefined || takesTypesOnly(clause),
  }))
  const calls = [...text.matchAll(CALL)].map(([, target = '']) => ({ target, typesOnly: false }))
  return [...statements, ...calls].flatMap(({ target, typesOnly }) => {
    const to = resolve(from, target)
    return to === null ? [] : [{ from, to, typesOnly }]
  })
}

/** Whether each name between the braces has `type` before it. */
function takesTypesOnly(clause: string): boolean {
  const names = /^\{([^}]*)\}\s+from\s+$/.exec(clause)?.[1]
  if (names === undefined) return false
  return names
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
    .every((name) => name.startsWith('type '))
}

/** Returns the imported file's path from the root; `null` for a package of others. */
function resolve(from: string, target: string): string | null {
  if (target.startsWith('.')) return posix.join(posix.dirname(from), target).replace(/\.js$/, '.ts')
  if (target.startsWith('@keyturn/')) return target.slice('@keyturn/'.length).replace(/\.js$/, '.ts')
  return null
}
