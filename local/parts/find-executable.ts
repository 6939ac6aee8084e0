/**
 * Finds the executable of a part: environment variable, PATH, our cache, download, build, the distribution's
 * package.
 */

import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'
import { cacheDirectory } from './cache-directory.js'

/** Shows a line to the person at the terminal. */
export type Say = (line: string) => void

/** Reports a part that this machine does not have and cannot get, in one line. */
export class PartMissing extends Error {
  override readonly name = 'PartMissing'
}

export interface Recipe {
  /** Name for messages, such as `Temporal`. */
  readonly title: string
  /** Environment variable that names the executable. */
  readonly variable: string
  /** Name of the executable on PATH and in the cache. */
  readonly executable: string
  /** URL of the archive (tar.gz) with the executable. Absent when there is none for this machine. */
  readonly archive?: string | null
  /** Argument of `go install`, such as `github.com/btcsuite/btcd@v0.26.2`. */
  readonly goPackage?: string
  /** Duration of the build, for the person who waits. */
  readonly buildTakes?: string
  /** Debian package with the executable. It is installed only for root. */
  readonly debianPackage?: string
}

/** Finds, downloads or builds an executable. @throws PartMissing that says what to do. */
export async function findExecutable(recipe: Recipe, say: Say): Promise<string> {
  const named = process.env[recipe.variable]
  if (named) {
    if (!isExecutable(named))
      throw new PartMissing(`${recipe.title}: ${recipe.variable}=${named} is not executable`)
    return named
  }
  const onPath = findOnPath(recipe.executable)
  if (onPath) return onPath
  const bin = join(cacheDirectory(), 'bin')
  const cached = join(bin, recipe.executable)
  if (isExecutable(cached)) return cached
  const reasons: string[] = []
  if (recipe.archive) {
    say(`${recipe.title} is not here yet: downloading it`)
    const failure = await download(recipe.archive, recipe.executable, bin)
    if (failure === null) return cached
    reasons.push(`download failed (${failure})`)
  }
  const go = recipe.goPackage ? findOnPath('go') : null
  if (recipe.goPackage && go) {
    say(`${recipe.title}: building it with Go, once (${recipe.buildTakes ?? 'a moment'})`)
    const failure = await goInstall(go, recipe.goPackage, recipe.executable, bin, say)
    if (failure === null) return cached
    reasons.push(`build failed (${failure})`)
  } else if (recipe.goPackage) reasons.push('no Go to build it with')
  if (recipe.debianPackage) {
    const failure = await installPackage(recipe.debianPackage, recipe.title, say)
    const installed = failure === null ? findOnPath(recipe.executable) : null
    if (installed) return installed
    reasons.push(failure ?? `the package ${recipe.debianPackage} has no ${recipe.executable}`)
  }
  throw new PartMissing(
    `${recipe.title} cannot be had here: not in ${recipe.variable}, on PATH or in ${bin}; ${reasons.join('; ')}`,
  )
}

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

/**
 * Runs a command to its end and passes its output to `say` line by line.
 *
 * @returns The reason of a failure, or `null`.
 */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Record<string, string>
    readonly cwd?: string
    readonly say?: Say
    readonly uid?: number
    readonly gid?: number
  } = {},
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    let last = ''
    const take = (chunk: Buffer) => {
      for (const line of chunk
        .toString('utf8')
        .split('\n')
        .map((each) => each.trim())) {
        if (!line) continue
        last = line
        options.say?.(line)
      }
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code) => resolve(code === 0 ? null : last || `exit code ${code}`))
  })
}

/** Installs a Debian package. @returns The reason why it was not installed, or `null`. */
async function installPackage(name: string, title: string, say: Say): Promise<string | null> {
  if (process.getuid?.() !== 0) return `not root, so the package ${name} was not installed`
  const apt = findOnPath('apt-get')
  if (!apt) return `no apt-get to install the package ${name} with`
  say(`${title}: installing the package ${name}, once`)
  // Another installation may hold the lock.
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
  const wait = ['-o', 'DPkg::Lock::Timeout=120']
  await runToEnd(apt, ['update', '-qq', ...wait], options)
  const failure = await runToEnd(
    apt,
    ['install', '-y', '-qq', '--no-install-recommends', ...wait, name],
    options,
  )
  return failure === null ? null : `apt-get failed (${failure})`
}

async function goInstall(
  go: string,
  goPackage: string,
  executable: string,
  bin: string,
  say: Say,
): Promise<string | null> {
  mkdirSync(bin, { recursive: true })
  const directory = mkdtempSync(join(bin, '.build-'))
  const started = Date.now()
  let compiled = 0
  let shown = Date.now()
  try {
    // -v names every package as it is compiled, which shows the progress.
    const failure = await runToEnd(go, ['install', '-v', goPackage], {
      env: { GOBIN: directory, GOFLAGS: '', CGO_ENABLED: '0' },
      say: () => {
        compiled += 1
        if (Date.now() - shown < 10_000) return
        shown = Date.now()
        say(`  … ${compiled} steps, ${Math.round((shown - started) / 1_000)} s`)
      },
    })
    if (failure === null) renameSync(join(directory, executable), join(bin, executable))
    return failure
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function download(url: string, executable: string, bin: string): Promise<string | null> {
  mkdirSync(bin, { recursive: true })
  const directory = mkdtempSync(join(bin, '.download-'))
  try {
    const { writeFile, readdir } = await import('node:fs/promises')
    const response = await fetch(url, { signal: AbortSignal.timeout(300_000) })
    if (!response.ok) return `HTTP ${response.status}`
    const archive = join(directory, 'archive.tar.gz')
    await writeFile(archive, Buffer.from(await response.arrayBuffer()))
    const failure = await runToEnd('tar', ['-xzf', archive, '-C', directory])
    if (failure !== null) return failure
    const found = (await readdir(directory, { recursive: true })).find(
      (each) => each === executable || each.endsWith(`${sep}${executable}`),
    )
    if (!found) return `no ${executable} in the archive`
    renameSync(join(directory, found), join(bin, executable))
    return null
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
