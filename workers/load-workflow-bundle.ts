/** The workflows' code as one file: made beforehand, kept from the last start, or made now. */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { bundleWorkflowCode } from '@temporalio/worker'

/** Whatever the bundle is made of: another one is made when one of these changes. */
const SOURCES = ['workflows', 'domain', 'package-lock.json']
const ROOT = fileURLToPath(new URL('../', import.meta.url))
const CACHE = join(ROOT, 'node_modules', '.cache', 'keyturn')
/** How long a bundle that no process uses is kept, because a developer often goes back to an earlier state of the code. */
const KEEP_MS = 86_400_000
/** What Temporal's bundler leaves in every bundle that is whole. */
const MARK = 'importWorkflows'

/** A bundle made by `npm run build` cannot be used; another attempt would not be able to either. */
export class UnusableBundleError extends Error {}

export interface BundlePlaces {
  /** Where bundles are kept; default `node_modules/.cache/keyturn`. */
  readonly cache?: string
}

/**
 * Finds or makes the bundle; safe in several processes at once. A kept bundle stays while a process that was given it lives, so
 * that a stack that runs can restart its workers though another one with other code was started.
 *
 * @param prebuilt - Path of a bundle made by `npm run build`, or of a kept one; null looks into the cache. A kept one that is gone
 * is made from the code as it is now.
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
        `KEYTURN_WORKFLOW_BUNDLE names ${prebuilt}, which cannot be used: ${wrong}. Make it with npm run build, or leave the variable out`,
      )
    }
  }
  const path = join(cache, `workflows-${await digest()}.js`)
  if ((await defectOf(path)) === null) {
    await use(path)
    return path
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    logger: quiet,
  })
  await mkdir(cache, { recursive: true })
  await removeUnused(cache, path)
  // Renamed into place: another process sees all of it or nothing.
  const part = `${path}.${process.pid}`
  await writeFile(part, code)
  await rename(part, path)
  await use(path)
  return path
}

/** Why a file is no bundle; null where it is one. */
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

/** Says that this process uses a kept bundle, for as long as it lives, and forgets those that used it and are gone. */
async function use(path: string): Promise<void> {
  const users = usersOf(path)
  try {
    await mkdir(users, { recursive: true })
    await writeFile(join(users, String(process.pid)), '')
    for (const pid of await readdir(users)) {
      if (!isAlive(Number(pid))) await rm(join(users, pid), { force: true })
    }
  } catch {
    // A cache that cannot be written: the bundle may be removed while we live, and is then made again.
  }
}

/** A file for each process that was given the bundle, named by its id. */
function usersOf(path: string): string {
  return join(dirname(path), `${basename(path, '.js')}.users`)
}

/** Removes earlier bundles that no living process uses and none was given lately. */
async function removeUnused(cache: string, keep: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name)
    if (!/^workflows-[0-9a-f]{16}\.js$/.test(name) || path === keep) continue
    if (await isInUse(path)) continue
    await rm(path, { force: true })
    await rm(usersOf(path), { recursive: true, force: true })
  }
}

/** By a living process, or lately: the newest of its users said so when it began. */
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
    // Another user's process lives, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: console.error }
