/** The workflows' code as one file: made beforehand, kept from the last start, or made now. */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'

/** Whatever the bundle is made of: it is made anew when one of these changes. */
const SOURCES = ['workflows', 'domain', 'package-lock.json']
const ROOT = fileURLToPath(new URL('../', import.meta.url))
const CACHE = join(ROOT, 'node_modules', '.cache', 'keyturn')

/**
 * Finds or makes the bundle; safe in several processes at once.
 *
 * @param prebuilt - Path of a bundle made by `npm run build`; null looks into the cache.
 * @returns Path of the file.
 */
export async function loadWorkflowBundle(prebuilt: string | null = null): Promise<string> {
  if (prebuilt !== null) return prebuilt
  const path = join(CACHE, `workflows-${await digest()}.js`)
  try {
    await readFile(path)
    return path
  } catch {
    // Not there yet.
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    logger: quiet,
  })
  await mkdir(CACHE, { recursive: true })
  await removeOld(path)
  // Renamed into place: another process sees all of it or nothing.
  const part = `${path}.${process.pid}`
  await writeFile(part, code)
  await rename(part, path)
  return path
}

async function digest(): Promise<string> {
  const hash = createHash('sha256').update(process.version)
  for (const source of SOURCES) {
    for (const file of await filesOf(join(ROOT, source))) {
      hash
        .update(file.slice(ROOT.length))
        .update('\0')
        .update(await readFile(file))
        .update('\0')
    }
  }
  return hash.digest('hex').slice(0, 16)
}

async function filesOf(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true, recursive: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
}

/** Earlier bundles, but not those that another process may be writing now. */
async function removeOld(keep: string): Promise<void> {
  for (const name of await readdir(CACHE)) {
    if (/^workflows-[0-9a-f]{16}\.js$/.test(name) && join(CACHE, name) !== keep)
      await rm(join(CACHE, name), { force: true })
  }
}

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: console.error }
