/** Builds an executable with Go. */

import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from './run-to-end.js'
import type { Say } from './say.js'

const PROGRESS_MS = 10_000

/**
 * Builds an executable with `go install`, and shows progress that names the part.
 *
 * @returns The reason of a failure, or `null`.
 */
export async function buildWithGo(
  go: string,
  part: { readonly title: string; readonly goPackage: string; readonly executable: string },
  file: string,
  say: Say,
): Promise<string | null> {
  const directory = mkdtempSync(`${file}.build-`)
  const started = Date.now()
  let compiled = 0
  const progress = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1_000)
    say(`${part.title}: still building with Go, ${compiled} packages compiled in ${seconds} s`)
  }, PROGRESS_MS)
  try {
    // -v names every package as it is compiled, so the lines count the packages.
    const failure = await runToEnd(go, ['install', '-v', part.goPackage], {
      env: { GOBIN: directory, GOFLAGS: '', CGO_ENABLED: '0' },
      say: () => {
        compiled += 1
      },
    })
    if (failure === null) renameSync(join(directory, part.executable), file)
    return failure
  } finally {
    clearInterval(progress)
    rmSync(directory, { recursive: true, force: true })
  }
}
