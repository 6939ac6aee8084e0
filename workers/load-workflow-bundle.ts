/** Finds the workflow bundle that was built beforehand or cached by an earlier start, or builds it now. */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { bundleWorkflows } from './bundle-workflows.js'

/** Sources of the bundle, and how it is made. A change in one of them leads to a new bundle. */
export const SOURCES = ['workflows', 'domain', 'temporal', 'package-lock.json', 'workers/bundle-workflows.ts']
const ROOT = fileURLToPath(new URL('../', import.meta.url))
const CACHE = join(ROOT, 'node_modules', '.cache', 'keyturn')
/**
 * Time for which an unused bundle is kept, because developers often return to an earlier state of the code.
 */
const KEEP_MS = 86_400_000
/** Text that every complete bundle of Temporal's bundler contains. */
const MARK = 'importWorkflows'

/** Thrown when a bundle made by `npm run build` cannot be used. Another attempt would fail as well. */
export class UnusableBundleError extends Error {}

export interface BundlePlaces {
  /** Directory of cached bundles. Default `node_modules/.cache/keyturn`. */
  readonly cache?: string
}

/**
 * Finds or builds the bundle. Several processes may call it at once. A cached bundle stays as long as a
 * process that uses it lives, so that a running stack can restart its workers after another stack with other
 * code was started.
 *
 * @param prebuilt - Path of a bundle made by `npm run build`, or of a cached one. `null` searches the cache.
 * If a cached bundle is missing, it is built from the current code.
 * @returns Path of the file.
 * @throws UnusableBundleError that says why a bundle made by `npm run build` cannot be used.
 */
export async function loadWorkflowBundle(
  prebuilt: string | null = null,
  { cache = CACHE }: BundlePlaces = {},
): Promise<string> {
  if (prebuilt !== null) {
    const wrong = await defectOf(prebuilt)
    const kept = dirname(resolve(prebuilt)) === resolve(cache)
    if (wrong === null) {
      if (kept) await use(prebuilt)
      return prebuilt
    }
    if (!kept) {
      throw new UnusableBundleError(
        `KEYTURN_WORKFLOW_BUNDLE names ${prebuilt}, which cannot be used: ${wrong}. Build it with npm run build, or unset the variable`,
      )
    }
  }
  const path = join(cache, `workflows-${await digest()}.js`)
  if ((await defectOf(path)) === null) {
    await use(path)
    return path
  }
  const code = await bundleWorkflows(quiet)
  await mkdir(cache, { recursive: true })
  await removeUnused(cache, path)
  // The rename makes the file appear whole, so no other process sees a part of it.
  const part = `${path}.${process.pid}`
  await writeFile(part, code)
  await rename(part, path)
  await use(path)
  return path
}

/** Returns the reason why a file is no bundle. `null` if it is one. */
async function defectOf(path: string): Promise<string | null> {
  try {
    const code = await readFile(path, 'utf8')
    if (!code.includes(MARK)) return 'it holds no workflows'
    new Script(code, { filename: path })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
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

/** Records that this process uses a cached bundle, and removes the records of processes that have ended. */
async function use(path: string): Promise<void> {
  const users = usersOf(path)
  try {
    await mkdir(users, { recursive: true })
    await writeFile(join(users, String(process.pid)), '')
    for (const pid of await readdir(users)) {
      if (!isAlive(Number(pid))) await rm(join(users, pid), { force: true })
    }
  } catch {
    // The cache cannot be written, so another process may remove the bundle. It is then built again.
  }
}

/** Returns the directory that holds one file, named by process id, for each process that uses the bundle. */
function usersOf(path: string): string {
  return join(dirname(path), `${basename(path, '.js')}.users`)
}

/** Removes earlier bundles that no living process uses and that were not used recently. */
async function removeUnused(cache: string, keep: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name)
    if (!/^workflows-[0-9a-f]{16}\.js$/.test(name) || path === keep) continue
    if (await isInUse(path)) continue
    await rm(path, { force: true })
    await rm(usersOf(path), { recursive: true, force: true })
  }
}

/** Returns whether a living process uses the bundle, or one began to use it recently. */
async function isInUse(path: string): Promise<boolean> {
  const users = await readdir(usersOf(path)).catch(() => [])
  if (users.some((pid) => isAlive(Number(pid)))) return true
  const files = [path, ...users.map((pid) => join(usersOf(path), pid))]
  const times = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  )
  return Math.max(...times) > Date.now() - KEEP_MS
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM means that the process lives but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: console.error }
