/** Lists and reads the files of this project, for the tests that hold them against its rules. */

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Folders that git ignores, that other tools write, or that hold data alone. */
const SKIPPED = ['node_modules', '.git', '.keyturn', 'dist', 'coverage', 'results', 'vectors', 'histories']

/** Returns the path of each file of the project from its root, with `/`. */
export function projectFiles(...endings: string[]): string[] {
  return readdirSync(ROOT, { recursive: false, withFileTypes: true })
    .filter((entry) => !SKIPPED.includes(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? below(entry.name) : [entry.name]))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
}

function below(folder: string): string[] {
  return readdirSync(ROOT + folder, { withFileTypes: true })
    .filter((entry) => !SKIPPED.includes(entry.name))
    .flatMap((entry) =>
      entry.isDirectory() ? below(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`],
    )
}

/** Returns the text of a file of the project. */
export function readProjectFile(path: string): string {
  return readFileSync(ROOT + path, 'utf8')
}
