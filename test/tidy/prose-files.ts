/** Lists the files whose words people read: code with its comments and texts, SQL, pages and settings. */

import { projectFiles } from './project-files.js'

/** Migrations that have been applied somewhere: their text is hashed, so nothing of it may change. */
const LAST_FROZEN_MIGRATION = 74

/** Returns the files whose prose keeps the rules of STYLE.md. */
export function proseFiles(): string[] {
  const endings = ['.ts', '.mjs', '.sql', '.md', '.yml', '.css', '.html', '.example', '/run', 'Dockerfile']
  return projectFiles(...endings).filter((path) => !isFrozen(path))
}

function isFrozen(path: string): boolean {
  const number = /^db\/migrations\/(\d+)_/.exec(path)?.[1]
  return number !== undefined && Number(number) <= LAST_FROZEN_MIGRATION
}
